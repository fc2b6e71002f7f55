"""Make the PDF files of the example scenarios: `python scenarios/files/make_files.py [FOLDER]`.

The same bytes come out every time: the creation date is fixed, and fonts are PDF's own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

MADE = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

# (quantity, name, price of one); the quantity is printed where there is more than one.
MEAL = (
    (1, "Burger", "23.75"),
    (1, "Grilled salmon", "31.40"),
    (2, "Lemonade", "6.25"),
    (1, "Soda", "15.50"),
    (3, "Garlic bread", "4.80"),
    (1, "Caesar salad", "13.90"),
    (1, "Onion rings", "9.25"),
    (2, "Cheesecake", "8.60"),
    (1, "Espresso", "3.95"),
)
TAX_PERCENT = 8

ITINERARY = (
    (
        "Booking confirmation",
        (
            "Booking reference: KV7TQM",
            "Passenger: Ingrid Solheim",
            "Booked with: Northern Lines Travel, Harbour Street 8, Bergen",
            "Telephone of the help desk: +47 55 01 23 45, daily from 07:00 to 22:00",
            "",
            "This document is your ticket for the whole journey. Show it on paper or on a screen",
            "together with your passport. All times are local times.",
            "",
            "The journey at a glance",
            "Friday, 12 June 2026     Bergen to Oslo by train",
            "Saturday, 13 June 2026     Oslo to Copenhagen by night ferry",
            "Tuesday, 16 June 2026     Copenhagen to Hamburg by coach",
        ),
    ),
    (
        "Train from Bergen to Oslo",
        (
            "Train number: NL 602",
            "Date: Friday, 12 June 2026",
            "The train leaves Bergen at 07:57 from platform 4.",
            "The train arrives in Oslo at 14:35.",
            "Your seat in the train is 41A in car 3, by the window.",
            "The dining car of the train is open from 08:30 to 13:30.",
            "Bicycles in the train cost NOK 210 and must be booked two days ahead.",
        ),
    ),
    (
        "Night ferry from Oslo to Copenhagen",
        (
            "Ship: Crown of the Fjords",
            "Date: Saturday, 13 June 2026",
            "Boarding of the ferry closes at 15:45.",
            "The ferry leaves Oslo at 16:30 and arrives in Copenhagen at 09:45 on Sunday, 14 June 2026.",
            "Your cabin on the ferry is number 7214 on deck 7, with two beds.",
            "Breakfast on the ferry is included and is served in the Panorama restaurant.",
            "Dinner on the ferry is not included.",
            "",
            "Prices on board",
            "Dinner buffet          NOK 429.00",
            "Three-course menu          NOK 565.00",
            "Late check-out          NOK 190.00",
            "Parking on the car deck          NOK 350.00",
        ),
    ),
    (
        "Coach from Copenhagen to Hamburg",
        (
            "Coach number: NL 88",
            "Date: Tuesday, 16 June 2026",
            "The coach leaves Copenhagen at 10:15 from bay 12 of the bus terminal.",
            "The coach arrives in Hamburg at 16:05.",
            "Seats in the coach are not reserved.",
        ),
    ),
    (
        "Baggage rules",
        (
            "Each passenger may bring two suitcases of up to 23 kg and one piece of hand luggage.",
            "Hand luggage may weigh up to 8 kg.",
            "",
            "Baggage fees",
            "Third suitcase          NOK 275.00",
            "Ski bag          NOK 320.00",
            "Overweight suitcase          NOK 180.00",
            "",
            "Changes and refunds",
            "The ticket can be changed until 48 hours before the departure for a fee of NOK 250.",
            "The fare is not refunded after the first departure.",
        ),
    ),
    (
        "Conditions of carriage",
        (
            "Passengers are asked to be at the platform, the quay or the bay in good time. Doors are",
            "locked two minutes before the departure, and nobody can be let in after that. A passport",
            "or a national identity card is checked before the ferry and again at the border.",
            "",
            "Delays",
            "If one part of the journey is late and the next part is missed because of it, the help desk",
            "finds another connection on the same day or pays for a night in a hotel near the station.",
            "Keep the receipts of what you had to buy in the meantime; they are needed for a claim.",
            "Claims are to be sent in within 30 days after the end of the journey.",
            "",
            "Travelling with animals",
            "Small animals travel free of charge in a closed basket on the knees of their owner. Large dogs",
            "are welcome in the train and on deck 5 of the ferry, on a lead and with a muzzle, but they",
            "cannot be taken along in the coach. Guide dogs are allowed everywhere.",
            "",
            "Assistance",
            "Passengers in a wheelchair call the help desk at the latest 36 hours before the departure.",
            "Lifts and ramps are provided at every station of this journey, and the staff carries the",
            "luggage from door to door. There is no charge for assistance.",
            "",
            "Lost property",
            "What was left behind in the train is kept in Oslo for 60 days. What was left behind on the",
            "ferry is handed in at the reception on deck 6. The company is not liable for valuables.",
        ),
    ),
    (
        "On board",
        (
            "Smoking is not permitted in the train, in the coach and in the cabins of the ferry. Smokers",
            "find a sheltered place on the aft deck of the ferry.",
            "",
            "Wireless internet is free of charge in the train and in the coach. On the ferry it works near the",
            "coast, and in the open sea by satellite for an extra charge, which is shown before you connect.",
            "Please use headphones, and leave the tables in the dining car to those who want to eat.",
            "",
            "The shop on the ferry sells food for the cabin, local crafts, and what one forgets at home. Card",
            "payments are accepted everywhere on this journey; cash is accepted on the ferry alone.",
            "",
            "Children under 12 travel at half the fare, and need a place of their own in the lifeboat list, so",
            "please name them when you book. A cot for a baby is brought to the cabin if it is ordered at the",
            "reception before 20:00.",
            "",
            "In an emergency follow the signs and the words of the crew. The muster station that belongs to",
            "your cabin is shown on the inside of the cabin door. Lifejackets are in the wardrobe. The alarm",
            "is seven short blasts and a long one. A drill is held before the ferry leaves the harbour.",
        ),
    ),
)


def new_page(title: str) -> FPDF:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(MADE)
    pdf.set_title(title)
    pdf.set_author("runner's examples")
    pdf.add_page()
    return pdf


def write_row(pdf: FPDF, left: str, right: str, *, height_mm: float = 7) -> None:
    """One line with a text at either margin."""
    pdf.cell(pdf.epw * 0.7, height_mm, left)
    pdf.cell(pdf.epw * 0.3, height_mm, right, align="R", new_x="LMARGIN", new_y="NEXT")


def cents(price: str) -> int:
    whole, _, rest = price.partition(".")
    return int(whole) * 100 + int(rest)


def money(amount_cents: int) -> str:
    return f"{amount_cents // 100}.{amount_cents % 100:02d}"


def make_receipt(meal: Sequence[tuple[int, str, str]] = MEAL) -> FPDF:
    """A restaurant's receipt; a price that is changed in `meal` changes the sums too."""
    pdf = new_page("Receipt")
    pdf.set_font("Courier", "B", 14)
    pdf.cell(0, 9, "THE LIGHTHOUSE KITCHEN", align="C", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font("Courier", size=11)
    for line in ("Pier 3, Old Harbour", "Receipt no. 20418     Table 12", "12 June 2026  19:42", ""):
        pdf.cell(0, 6, line, align="C", new_x="LMARGIN", new_y="NEXT")
    for quantity, name, price in meal:
        left = name if quantity == 1 else f"{quantity} x {name} @ {price}"
        write_row(pdf, left, money(quantity * cents(price)))
    subtotal = sum(quantity * cents(price) for quantity, _, price in meal)
    tax = (subtotal * TAX_PERCENT + 50) // 100
    pdf.ln(3)
    write_row(pdf, "Subtotal", money(subtotal))
    write_row(pdf, f"Tax {TAX_PERCENT}%", money(tax))
    pdf.set_font("Courier", "B", 12)
    write_row(pdf, "TOTAL", f"${money(subtotal + tax)}")
    pdf.set_font("Courier", size=11)
    pdf.ln(6)
    pdf.cell(0, 6, "Thank you, and fair winds!", align="C")
    return pdf


def make_ticket() -> FPDF:
    """A travel document of several pages, one per leg of the journey."""
    pdf = new_page("Travel document")
    for number, (title, lines) in enumerate(ITINERARY):
        if number:
            pdf.add_page()
        pdf.set_font("Helvetica", "B", 15)
        pdf.cell(0, 12, title, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", size=11)
        for line in lines:
            name, gap, value = line.partition("     ")
            if gap:
                write_row(pdf, name, value.strip())
            else:
                pdf.cell(0, 7, line, new_x="LMARGIN", new_y="NEXT")
    return pdf


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    make_receipt().output(str(folder / "receipt.pdf"))
    make_ticket().output(str(folder / "ticket.pdf"))


if __name__ == "__main__":
    main()
