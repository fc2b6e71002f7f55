"""Which hosts are this machine, OpenAI, Azure; and which only look like it."""

from __future__ import annotations

import pytest

from runner.domain.hosts import (
    AddressFault,
    find_address_fault,
    is_authority,
    is_azure,
    is_loopback,
    is_open_road,
    is_openai,
)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_is_known_by_its_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example", "10.0.0.7", "0.0.0.0", "127.0.0.1.example", "2130706433"])
def test_other_machines_are_not_taken_for_it(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["api.openai.com", "API.OpenAI.com.", "eu.api.openai.com"])
def test_openai_has_one_host_and_those_of_its_regions(host):
    assert is_openai(host)


@pytest.mark.parametrize(
    "host",
    ["", "openai.com", "evil-api.openai.com", "api.openai.com.example", "xapi.openai.com", "mine.openai.azure.com"],
)
def test_what_only_looks_like_openai_is_not(host):
    assert not is_openai(host)


def test_azure_is_known_by_its_domains():
    assert is_azure("mine.openai.azure.com")
    assert is_azure("mine.services.ai.azure.com")
    assert not is_azure("openai.azure.com.example")
    assert not is_azure("api.openai.com")


@pytest.mark.parametrize("text", ["host", "a-b.example.", "127.0.0.1:80", "[::1]:8000", "münchen.example", "my_host:1"])
def test_a_host_with_or_without_a_port_is_one(text):
    assert is_authority(text)


@pytest.mark.parametrize(
    "text",
    ["", ":80", "[::1]x", "[::1%25lo]", "evil.example\\.api.openai.com", "a%2eb", "a b", "*", "x@host", "a:b", "a:1:2"],
)
def test_what_others_may_read_as_another_host_is_none(text):
    assert not is_authority(text)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://host", "http://[::1]:8000/v1/", "HTTPS://a.b/c"])
def test_an_address_of_a_server_has_no_fault(url):
    assert find_address_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", AddressFault.NO_ADDRESS),
        ("127.0.0.1:8000/v1", AddressFault.NO_ADDRESS),
        ("ftp://host/v1", AddressFault.NO_ADDRESS),
        ("http://host:port/v1", AddressFault.NO_ADDRESS),
        ("http://host:0/v1", AddressFault.NO_ADDRESS),
        ("http://[::1", AddressFault.NO_ADDRESS),
        ("http://host/v 1", AddressFault.NO_ADDRESS),
        ("http://host/v1\u202e", AddressFault.NO_ADDRESS),
        ("https://me:secret@host/v1", AddressFault.PASSWORD),
        ("https://@host/v1", AddressFault.PASSWORD),
        ("https://host/v1?key=x", AddressFault.GOES_ON),
        ("https://host/v1#x", AddressFault.GOES_ON),
    ],
)
def test_what_keeps_a_text_from_being_an_address_is_named(url, fault):
    assert find_address_fault(url) is fault


def test_what_is_sent_unencrypted_to_another_machine_can_be_read():
    assert is_open_road("http://models.example/v1")
    assert not is_open_road("https://models.example/v1")
    assert not is_open_road("http://localhost:8000/v1")
