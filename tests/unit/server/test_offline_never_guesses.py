"""The offline rules never guess: papers and questions made to mislead them, each answered right or declined."""

from __future__ import annotations

import time

import pytest
from each_case import each

from runner.server.inference import Answer, GivenFile, Role, Scene, SceneMessage
from runner.server.inference.offline import choose_move

INSURANCE = """Harbour Insurance
Your policy
The emergency line is open 24 hours a day.
Opening hours of the Oslo office: 9:00 to 17:00
Plan | Monthly premium
Basic | EUR 12.00
Premium | EUR 27.00
Your phone is covered outside the home up to EUR 500.
Bicycles are covered at home.
Specialist visit $320¹
Dental check $23⁷⁵
Eye test $3201
Glasses $23.751
Copay $23 75
Deductible: $3201
Annual limit: $1500¹
Excess fee: EUR 50.00
Claims must be sent within 30 days.
The office does not open at 8:00.
Policy number: PN-77121
Cancellation fee EUR 40.00 per person
Massage from 45.00
Winter
Office opening time: 10:00
The gym opens at 6:00.
"""
MUSEUM = """City guide
The museum opens at 9:30 on Sundays.
The castle opens at 10:00 and closes at 18:00.
In winter, the tower opens at 11:00.
The tower opens at 9:00.
The zoo opens at 8:00. From May it opens at 7:00.
The last tram leaves Rossio at 23:40.
The tram leaves Rossio at 6:00 and every 10 minutes after that.
The ferry usually leaves Belem at 9:00.
The bus leaves Sintra between 7:00 and 8:00.
The boat leaves Cascais at 9:00 if the sea is calm.
The pool opens at 9:00 for members.
The cafe opened at 9:00 in 1932.
The market opens at 7:00 on 24 December.
The library opens at 9:00, the archive at 11:00.
Each visitor may bring two bags if they are small.
Each guest may bring up to 2 dogs.
Each rider may bring 2 or 3 bikes.
Each diver may bring two tanks and one knife.
Students may bring three friends on Mondays.
Return ticket: EUR 12.00
Guide: Rita Fonseca
Dress code: none
Tour leader: to be named
The meeting point is on the map.
The wifi password is not 12345.
The door code is 4412 until Friday.
The locker code is 9931.
Old locker code: 1111
Ticket counter number: 4
"""
MENU = """Menu
Kids menu
Burger 6.00
Pasta 5.00
Main menu
Steak 24.00
Fries 4.50
+ truffle 2.00
Soup of the day 7.00
House wine 0.2 l 6.00
Beer 5.00 6.00
Tiramisu (2 pieces) 8.00
2 x Cola @ 3.00 6.00
Water 3.00
water 3.50
Deposit 2.00
Lunch deal 12.90 until 14:00
Sauce EUR 1.5
Cake $1,2345
Tea 3.50*
Total 50.00
Grand total 56.00
"""
FEES = """Fee schedule 2025
Annual fee: $95 for the first year, $195 after
Late fee $29.00
The late fee is $39.00 from 1 July.
ATM fee 2.5%
Foreign fee 3.00
Student fee $10.00
Contact
Phone: 555-0101
Emergency phone: 555-0199
The phone number is 555-0303.
Departure: 10:00
Check-in time: 15:00
Check-out time: 11:00 (12:00 on Sundays)
The train leaves Bergen at 07:57.
The train leaves Bergen at 08:57 on Saturdays.
The coach leaves Hamburg at 10:00 and the train leaves Hamburg at 11:00.
The shop closes at 18:00, but opens at 9:00.
The bar opens at 17:00 and closes when the last guest leaves.
The exhibition starts on 4 May 2026 and ends on 8 June 2026.
The lesson starts at 9:00 and ends an hour later.
The gate closes 20 minutes before departure.
Its doors open at 8:00.
Seat: 14C
The show starts at 20:00. Doors open at 19:00.
The tour starts at about 10:00.
The talk starts no earlier than 10:00.
The meal starts at 12:00 or later.
The game starts at 15:00 local time.
The course starts Monday at 9:00.
The boat leaves the pier at 9:00 and 11:00.
Room price (double) $120.00
Room price (single) $80.00
Deposit refund 50.00
"""
POOL = "Guide\n\nThe pool opens at 9:00.\n"
PIZZERIA = "Trattoria\n\nPizza 9.75\nPasta EUR 8.75\n"
RIGHT = (
    (INSURANCE, "How much is the excess fee?", "EUR 50.00."),
    (INSURANCE, "What is the policy number?", "PN-77121”"),
    (MUSEUM, "When does the castle close?", "18:00.”"),
    (MUSEUM, "How many tanks may each diver bring?", "So: 2."),
    (MUSEUM, "What is the return ticket?", "EUR 12.00”"),
    (MUSEUM, "Who is the guide?", "Rita Fonseca”"),
    (MENU, "How much is the steak?", "EUR 24.00."),
    (MENU, "How much is a steak?", "EUR 24.00."),
    (MENU, "How much are two steaks?", "EUR 48.00."),
    (MENU, "How much is a cola?", "EUR 3.00."),
    (MENU, "How much are 2 colas?", "EUR 6.00."),
    (MENU, "What is a 10% tip on the steak?", "EUR 2.40."),
    ("# Guide\n\n# Winter\n\nSki pass EUR 40\n\n# Prices\n\nBelt EUR 26.00", "How much is the belt?", "EUR 26.00."),
    ("Prices\n\nAdult 45.00\nChild 25.00", "How much is an adult?", "45.00."),
    (POOL, "When does the pool open?", "9:00.”"),
    (FEES, "What is the emergency phone?", "555-0199”"),
    (FEES, "What is the check-in time?", "15:00”"),
    (FEES, "What is the check-out time?", "(12:00 on Sundays)”"),
    (FEES, "When does the train leave Hamburg?", "11:00.”"),
    (FEES, "When does the coach leave Hamburg?", "10:00."),
    (FEES, "When does the exhibition start?", "4 May 2026."),
    (FEES, "When does the exhibition end?", "8 June 2026.”"),
    (FEES, "On what day does the exhibition end?", "8 June 2026.”"),
    (FEES, "When does the show start?", "20:00.”"),
    ("Parcel\n\nTotal weight: approx. 15 kg", "What is the total weight?", "approx. 15 kg”"),
    ("", "I bought 3 shirts for $30. How much is each shirt?", "$10.00."),
    ("", "How much is left of $500 after 3 nights at $120?", "$140.00."),
    ("", "The taxi was $30, we were 3, plus 20% tip. How much each?", "$12.00 each."),
    ("", "What is 10 / 4?", "2.5."),
    ("", "What is 10 / 3?", "Rounded to two decimals, that is 3.33."),
    ("", "Lunch was $12 for me and $15 for you. How much in total?", "$27.00."),
    ("", "A family ticket for 2 adults costs $50. How much per adult?", "$25.00."),
    ("", "It cost $45 for 3 hours. How much per hour?", "$15.00."),
)

DECLINED = {
    INSURANCE: (
        "What are your opening hours?",
        "What are the opening hours?",
        "When do you open?",
        "When are you open?",
        "When does the office open?",
        "When does the emergency line open?",
        "When do I have to pay the premium?",
        "How much is the premium?",
        "What is the premium?",
        "What is the monthly premium?",
        "Is my phone covered at home?",
        "Is my phone covered outside the home?",
        "Is my bicycle covered?",
        "How much is a specialist visit?",
        "How much is the specialist visit?",
        "How much is the dental check?",
        "How much is the eye test?",
        "How much are the glasses?",
        "How much is the copay?",
        "What is the deductible?",
        "What is the annual limit?",
        "What is my annual limit?",
        "What is the excess fee?",
        "How many days do I have to send a claim?",
        "How many days must claims be sent within?",
        "How much is the massage?",
        "How much is the cancellation fee?",
        "What is the office opening time?",
        "When does the gym open?",
        "How much do the eye test and the massage cost together?",
        "I had the eye test and the dental check, how much should I pay?",
        "Who is the emergency line?",
        "What is the emergency line?",
        "What is the old policy number?",
        "What was the policy number?",
        "How much is the basic?",
        "How much is Basic?",
        "How much do Basic and Premium cost?",
        "How much is the basic plan?",
        "What is the total?",
        "Split the bill between 3 people.",
    ),
    MUSEUM: (
        "When does the museum open?",
        "When does the museum open on Sundays?",
        "When does the castle open?",
        "When does the castle close on Sundays?",
        "When does the tower open?",
        "When does the zoo open?",
        "When does the tram leave Rossio?",
        "When does the ferry leave Belem?",
        "When does the bus leave Sintra?",
        "When does the boat leave Cascais?",
        "When does the pool open?",
        "When does the cafe open?",
        "When does the market open?",
        "When does the library open?",
        "When does the archive open?",
        "How many bags may each visitor bring?",
        "How many dogs may each guest bring?",
        "How many bikes may each rider bring?",
        "How many knives may each diver bring?",
        "How many friends may students bring?",
        "How much is the return ticket?",
        "How much is a ticket?",
        "Who is the tour leader?",
        "What is the dress code?",
        "What is the meeting point?",
        "What is the wifi password?",
        "What is the door code?",
        "What is the locker code?",
        "What is the ticket number?",
        "What is the counter number?",
        "What time does the castle open tomorrow?",
        "When does the castle open and close?",
        "When doesn't the castle open?",
        "Does the castle open at 10:00?",
        "Why does the castle open at 10:00?",
        "When do castles open?",
        "Where is the castle?",
    ),
    MENU: (
        "How much is the burger?",
        "How much is the pasta and the burger?",
        "How much are the steaks?",
        "How much are the fries?",
        "How much is the soup?",
        "How much is the soup of the day?",
        "How much is the house wine?",
        "How much is the wine?",
        "How much is a beer?",
        "How much is the tiramisu?",
        "How much are 3 colas?",
        "How much is water?",
        "How much is the deposit?",
        "How much is the lunch deal?",
        "How much is the sauce?",
        "How much is the cake?",
        "How much is the tea?",
        "What is the total?",
        "How much is the steak with fries?",
        "How much is the steak without sauce?",
        "I had the steak but no fries. How much?",
        "I had half a steak, how much is that?",
        "I had the steak and my wife had the soup of the day. How much do I pay?",
        "I had the steak twice, how much should I pay?",
        "How much is the cheapest dish?",
        "How much was the steak last year?",
        "How much will the steak be tomorrow?",
        "How much is the steak in dollars?",
        "How much is a steak for 2 people?",
        "What does the steak cost per person?",
        "How much is the steak with a 10% tip?",
        "How much more is the steak than the cola?",
        "Is the steak 24.00?",
        "When is the steak?",
    ),
    FEES: (
        "What is the annual fee?",
        "How much is the annual fee?",
        "How much is the late fee?",
        "What is the late fee?",
        "What is the ATM fee?",
        "How much is the foreign fee?",
        "How much is the student fee?",
        "What is the phone number?",
        "What is the departure?",
        "What is the departure time?",
        "When does the train leave Bergen?",
        "When does the shop close?",
        "When does the shop open?",
        "When does the bar open?",
        "When does the bar close?",
        "What time does the exhibition start?",
        "When does the lesson start?",
        "When does the lesson end?",
        "When does the gate close?",
        "When do the doors open?",
        "What is my seat?",
        "What seat do I have?",
        "When does the tour start?",
        "When does the talk start?",
        "When does the meal start?",
        "When does the game start?",
        "When does the course start?",
        "When does the boat leave the pier?",
        "How much is the room?",
        "How much is a room price?",
        "How much is the double room?",
        "What is the fee schedule?",
        "How much is the deposit refund?",
        "Who is the contact?",
    ),
    "": (
        "What is 80 with 15%?",
        "How much is $80 with 15%?",
        "How much is $80 at 15%?",
        "I paid $30 for lunch and my boss paid $20. How much did I pay?",
        "We are 5 and the bill is $100, but Tom pays $20. How much does each of us pay?",
        "A $100 bill is split between 4 people and 1 child. How much each?",
        "I have 3 apples and buy 2 for $1 each. How many apples do I have?",
        "Tickets cost $20 each. How much for 3 adults and 2 children at half price?",
        "If 3 shirts cost $30, how much do 5 shirts cost?",
        "I bought 3 shirts for $30. How much did I pay?",
        "Dinner for 4 was $100, drinks for 2 were $20. How much each?",
        "The hotel is $100 a night for 3 nights. How much per person for 2 people?",
        "The rent is $900 per month. How much is it for a year?",
        "The rent is $900 per month. How much is it for 2 weeks?",
        "The rent is $900 per week for 3 days. How much is that?",
        "A pizza with 8 slices costs $16. How much is one pizza?",
        "A pizza with 8 slices costs $16. How much is one slice?",  # nor a car's wheel
        "Gas costs $3 per gallon and the car needs 5 litres. How much?",
        "I earn $20 per hour. How much in 8 hours?",
        "I drive 60 km at $0.20 per km. How much?",
        "I have a budget of $500 and the hotel costs $120 per night. How many nights can I stay?",
        "What is 10% off $50 plus $5?",
        "What is 20% of $50 and 10% of $30?",
        "Divide $90 by 3 and add 5",
        "What is the average of $10 and 20%?",
        "What is the average price of 3 apples at $1 and 2 pears at $2 each?",
        "Split $90 between Anna, Tom and Lea.",
        "Split $90 between 3 people, Tom pays double.",
        "Split $90 between 3 people but I pay nothing.",
        "Split $90 60/40.",
        "Split $90 in half.",
        "Split $90 between us.",
        "Our bill was $90 and 3 people had wine for $10. How much each?",
        "What is the difference between 50% and 20%?",
        "How much is 5 kg at $2 per pound?",
        "12 cookies cost $6 and 6 muffins cost $9. How much is one muffin?",
        "A room costs $80 per night per person. How much for 2 people and 3 nights?",
        "The bill was $100 plus 10% tax and 15% tip. What's the total?",
        "What is 2 + 2 * ?",
        "What is 2 ^ 3?",
        "What is 7 mod 3?",
        "What is the square root of 16?",
        "What is 1/3 of $90?",
        "What is $10 * $10?",
        "What is 1.234 + 1?",
        "How much is 3 times as much as $5?",
        "How much tax is 20% on $50?",
        "How much did each of us pay if we paid $30 each?",
        "How much should each of us pay if the 3 of us share $60 and $30?",
        "I bought a $20 hat and a $30 coat for my 2 kids. How much in total?",
        "I lost $20 and found $5. How much in total?",
        "I spent $20 of my $50. How much is left?",
        "I had $50 and lent $20. How much is left?",
        "My phone costs $20 per month for 12 months. How much in total?",
        "We paid $90 for 3 pizzas for 6 people. How much per person?",
        "We paid $90 for 3 pizzas for 6 people. How much per pizza?",
        "It cost $45 for 3 hours. How much per minute?",
        "What is $100 in 3 parts?",
        "Share $100 between 2 boys and 3 girls.",
        "My 3 friends and I shared $100. How much did my friends pay?",
        "3 of us shared $90. How much did 2 of us pay?",
        "Each of the 3 rooms costs $50. What is the total?",
        "Each of 4 friends brings 2 bottles at $5 each. How much?",
        "What is the sum of 10,20 and 30?",
        "The net amount is $100. The gross amount is $119. What is the total?",
        "What is 5 pounds plus 3 pounds?",
        "What is 999999999999999 * 999999999999999?",
        "4 friends have a $100 voucher. How much does each pay?",
        "What is the average of 100,200 and 300?",
        "What is 1/1000000000?",
        "My salary is $3000 and my rent is $900. What is the total?",
        "The list price is $50. The sale price is $40. How much do I pay?",
        "The red shirt costs $20 and the blue shirt costs $30. How much do I pay?",
        "Dinner was $60 with a 10% tip. We were 3. How much each?",
        "I have $200 and a $20 gift card. How much is left?",
        "4 people share a bill of $100. How much does each family pay?",
    ),
}

THREADS = (
    (("My sister lives in Rome and I live in Oslo.", "Where do I live?"), "Oslo.”"),
    (("I don't like fish.", "What do I like?"), ""),
    (("My flight was cancelled.", "When is my flight?"), ""),
    (("My budget is $500.", "What is my budget per day for 5 days?"), ""),
    (("My budget is $500.", "What is my sister's budget?"), ""),
    (("My budget is $500.", "No, my budget is $600.", "What is my budget?"), ""),
    (("My budget is $500.", "My budget is not $500.", "What is my budget?"), ""),
    (("My budget is $500.", "No, my budget is $600.", "What is 10% of my budget?"), ""),
    (("My budget is $500.", "My budget is $600.", "What is 10% of my budget?"), ""),
    (("My budget is $500.", "My budget is $500.", "What is 10% of my budget?"), "$50.00."),
    (("My budget is $500.", "Sorry, my budget is $600.", "What is 10% of my budget?"), "$60.00."),
    (("My budget is $500.", "My wife's budget is $300.", "What is my budget?"), "$500.”"),
    (("My budget is $500.", "What was my budget last year?"), ""),
    (("My old budget is $500.", "What is my budget?"), ""),
    (("My budget is $500 without the hotel.", "What is my budget with the hotel?"), ""),
    (("My hotel is Aurora.", "What is my hotel's address?"), ""),
    (("I paid $30 for lunch.", "What did I pay for dinner?"), ""),
    (("Our train leaves at 9:00.", "When does our train arrive?"), ""),
    (("My name is Ana.", "What is your name?"), ""),
    (("My name is Ana.", "What is my name?"), "Ana.”"),
    (("I am 30 and my wife is 28.", "How old am I?"), ""),
    (("We are 5.", "How many are we?"), ""),
    (("My budget is $500.", "How much of my budget is left?"), ""),
    (("My budget is $500.", "How much of my budget is left after 3 nights?"), ""),
    (("My budget is $500.", "Split my budget between 4 people."), "$125.00 each."),
    (("My budget is $500.", "How much is that in euros?"), ""),
    (("Split $90 between 3 people.", "How much do 2 of us pay?"), ""),
    (("Split $90 between 3 people.", "And if Tom doesn't pay?"), ""),
    (("Split $90 between 3 people.", "And if we are 4?"), "$22.50 each."),
    (("Split $90 between 3 people.", "And if 1 more joins?"), "$22.50 each."),
    (("Split $90 between 3 people.", "What if 2 of us pay double?"), ""),
    (("Split $90 between 3 people.", "And if 2 of us don't drink?"), ""),
    (("Split $90 between 3 people.", "Add $5 to that"), "$35.00."),
    (("Split $90 between 3 people.", "Divide that by 2"), "$15.00."),
    (("What is 20% of $80?", "And of $90?"), ""),
    (("There are 5 of us.", "Actually, there are 4 of us.", "Split $100 between us."), "$25.00 each."),
    (("There are 5 of us.", "2 of us are children. ", "Split $100 between us."), ""),
    (("There are 5 of us. 2 of us are vegetarians.", "Split $100 between us."), ""),
    (("Our budget is $100 and our reserve is $50.", "How much is that for each of us?"), ""),
    (("We booked 3 rooms for 6 people.", "Split $90 between us."), ""),  # nor with whom we met, or travel
    (("I have 3 kids and a budget of $500.", "How much is that for each of us?"), ""),
    (("My budget is $500 per person.", "What is 10% of my budget?"), ""),
    (("My budget is $500, but $100 of it is spent.", "How much of my budget is left if the hotel costs $50?"), ""),
    (("My budget is about $500.", "What is 10% of my budget?"), ""),
    # Somebody else's, something else, or of another time or direction.
    (("My sister lives in Rome.", "Where do I live?"), ""),
    (("I will live in Oslo next year.", "Where do I live?"), ""),
    (("Suppose my budget is $500.", "What is my budget?"), ""),
    (("My flight leaves at 9:00 and my train at 12:00.", "When does my train leave?"), ""),
    (("My flight from Oslo to Rome is on 3 May.", "When is my flight from Rome to Oslo?"), ""),
    (("I owe Tom $30.", "What does Tom owe me?"), ""),
    (("I forgot my PIN.", "What is my PIN?"), ""),
    (("Our flight is on 12 May at 09:30.", "Where is our flight?"), ""),
    (("Our hotel is like Aurora.", "Where is our hotel?"), ""),
    (("My name is hard to spell.", "What is my name?"), ""),
    # What was said later may change what was said before.
    (("I'm staying at Hotel Aurora.", "We switched to Hotel Borealis.", "Where am I staying?"), ""),
    (("Our flight is on 12 May at 09:30.", "It's delayed by two hours.", "What time is our flight?"), ""),
    (("My budget is $500.", "Make that $600.", "What is 10% of my budget?"), ""),
    (("My budget is $500.", "I already spent $100.", "How much of my budget is left if the hotel costs $50?"), ""),
    (("My budget for food is $300.", "How much of my budget is left if the hotel costs $200?"), ""),
    (("There are 5 of us.", "Tom can't come.", "Split $100 between us."), ""),
    (("I'm travelling with 4 friends.", "Split $100 between us."), ""),
    (("2 of us are vegetarians.", "Split $100 between us."), ""),
    (("My rent is $900 a month.", "Split that between 3 people."), ""),
    (("The hotel is $90.", "The flight is $300.", "Split that between 3 people."), ""),
    (("What is 10% of 200?", "and 20% of that?"), ""),
    (("Split $90 between 5 people.", "And if 1 of us doesn't pay?", "And if 2 of us don't pay?"), ""),
    # An order, or a question without its mark, is not noted.
    (("My order is late, send a new one.",), ""),
    (("I have a dentist appointment at 9, when should I leave",), ""),
    (("I like pizza, order one",), ""),
)

DENIED_ELSEWHERE = (
    # Headings narrow all that stands under them, those of a lower level included.
    ("# Guide\n\n# Winter\n## Opening hours\nThe pool opens at 10:00.", "When does the pool open?"),
    ("Guide\n\nWinter\nOpening hours\nThe pool opens at 10:00.", "When does the pool open?"),
    ("# Guide\n\n# Winter\n\n## Prices\n\nSki pass EUR 40.00", "How much is the ski pass?"),
    ("# Guide\n\n# Outside Norway\n\nThe emergency number is 112.", "What is the emergency number?"),
    ("# Guide\n\n# Numbers outside Norway\n\nThe emergency number is 112.", "What is the emergency number?"),
    ("# Policy\n\n# Phone cover without a plan\n\nPhone cover: EUR 10", "What is the phone cover?"),
    ("Guide\n\nPlan A\nMonthly premium: EUR 12\n\nPlan B\nYearly premium: EUR 140", "What is the monthly premium?"),
    ("Guide\n\nPlan A\nMonthly premium: EUR 12\n\nPlan B\nMonthly premium: EUR 14", "What is the monthly premium?"),
    # A short sentence without a full stop looks like a heading, and has something to say nevertheless.
    ("Guide\n\nThe renewal date is 1 June 2027\nThe renewal date: 3 July 2027 (Plan B)", "What is the renewal date?"),
    # Another line takes something of it back.
    (f"{POOL}On Sundays at 10:00.", "When does the pool open?"),
    (f"{POOL}In winter at 10:00.", "When does the pool open?"),
    (f"{POOL}It stays closed in winter.", "When does the pool open?"),
    (f"{POOL}Sundays: 10:00", "When does the pool open?"),
    (f"{POOL}Sunday opening: 10:00", "When does the pool open?"),
    (f"{POOL}This applies to members only.", "When does the pool open?"),
    ("Policy\n\nThe phone limit is EUR 500.\nOutside the home it is EUR 300.", "What is the phone limit?"),
    ("Policy\n\nThe phone limit is EUR 500.\nAbroad: EUR 300", "What is the phone limit?"),
    ("Policy\n\nThe phone limit is EUR 500.\nHowever, tablets are never covered.", "What is the phone limit?"),
    ("Guide\n\n**Winter**\n\nThe pool opens at 10:00.", "When does the pool open?"),
    ("Guide\n\n~~The pool opens at 10:00.~~", "When does the pool open?"),
    (f"{POOL}Except on Mondays.", "When does the pool open?"),
    (f"{POOL}The shop sells towels. The pool is closed on Mondays.", "When does the pool open?"),
    (f"{POOL}The bar is open. The pool is open from 11:00 on Mondays.", "When does the pool open?"),
    ("Guide\n\nOpening hours: 9:00 to 17:00\nSunday: closed", "What are your opening hours?"),
    (
        "Guide\n\nEach rider may bring two bags.\nGold riders may bring three bags.",
        "How many bags may each rider bring?",
    ),
    ("Guide\n\nThe guide is Lena Berg, the driver is Max Roth.", "Who is the guide?"),
    (f"{PIZZERIA}On Sundays the pizza costs 7.00.", "How much is the pizza?"),
    (f"{PIZZERIA}Students pay EUR 6 for a pizza.", "How much are 2 pizzas?"),
    ("Fees\n\nExcess fee EUR 50.00\nOutside the home EUR 90.00", "How much is the excess fee?"),
    ("Fees\n\nLocker fee EUR 5.00\nOn Sundays: EUR 7.00", "How much is the locker fee?"),
    (f"{PIZZERIA}All prices exclude VAT.", "How much is the pizza?"),
    (f"{PIZZERIA}Prices are per person.", "How much is the pizza?"),
    (f"{PIZZERIA}Service of 10% is added to each bill.", "I had the pizza, what do I owe?"),
    (f"{PIZZERIA}Members get 10% off everything.", "How much is the pasta?"),
    (f"{PIZZERIA}The shop sells towels. Tuesdays: buy one, get one free.", "How much is the pasta?"),
    (f"{PIZZERIA}The bar is open. All rents are monthly.", "How much is the pasta?"),
    ("Menu\n\nPrices in CHF\n\nSoup 8.50\nSteak 32.00", "How much is the soup?"),
    ("# Shop\n\n## Happy hour\n\nSmoothie $4.50", "How much is a smoothie?"),
    ("# Gym\n\n## Non-members\n\nDay pass $18.00", "How much is the day pass?"),
    ("Old price list, superseded on 1 May\n\nSoup $8.50", "How much is the soup?"),
    ("Item\tSmall\tLarge\nBread\t1.50\t\nSalad\t5.00\t8.00", "How much is the bread?"),
    ("Item\tPrice per kg\nApple\t2.50", "How much is the apple?"),
    # What is told has been overtaken, or is told otherwise elsewhere.
    (f"{POOL}The sauna is open. The pool is under renovation.", "When does the pool open?"),
    ("Order\n\nDelivery date: 14 June 2026\nThe delivery is postponed by a week.", "What is the delivery date?"),
    ("Notes\n\nProject manager: to be decided\nThe project manager is Ben Ode.", "Who is the project manager?"),
    # What looks like no heading, narrows all the same; so does a line below, and a mark of a footnote.
    ("Park\n\n- Guests:\n  - Locker fee: EUR 10", "What is the locker fee?"),
    ("Park\n\n[Members]\nTowel EUR 2.00", "How much is a towel?"),
    ("Menu\n\nPizza EUR 10.00\n - large EUR 14.00", "How much is the pizza?"),
    ("Menu\n\nSteak* EUR 24.00\nSoup EUR 6.00", "How much is the steak?"),
    ("Guide\n\nThe metro leaves Oslo from 5:00.", "When does the metro leave Oslo?"),
    ("Fair\n\nTicket price: EUR 12\nFrom 1 June: EUR 14", "What is the ticket price?"),
    ("Fair\n\nCoat check EUR 2.00\n(free for speakers)", "How much is the coat check?"),
    # No value is told.
    ("Locker\n\nLocker number: ask at the desk", "What is the locker number?"),
    ("Contract\n\nSignature date: ________", "What is the signature date?"),
    ("Launch\n\nLaunch plan: TBD", "What is the launch plan?"),
    ("Europe\n\nThe capital of Norway is Oslo.", "Who is the capital of Norway?"),
    # Digits that are no price: a measure, a time, a day, or with a mark that belongs to a footnote.
    ("Shop\n\nSuitcase 23.00 kg\nBelt 26.00", "How much is the suitcase?"),
    ("Shop\n\nRope 45.00 m\nBelt 26.00", "How much is the rope?"),
    ("Shop\n\nJug 24.00 L\nBelt 26.00", "How much is the jug?"),
    ("Shop\n\nLamp 25.00 *\nBelt 26.00\n* while stocks last", "How much is the lamp?"),
    ("Programme\n\nLunch 12.30\nDinner 19.00\nTicket EUR 30.00", "How much is the lunch?"),
    ("Programme\n\nOpening night 31.05\nClosing night 14.06", "How much is the opening night?"),
    ("Guide\n\nThe tram leaves Bergen at 8:00*.\n* weekdays", "When does the tram leave Bergen?"),
    ("Guide\n\nThe tram leaves Bergen at 8:00†.", "When does the tram leave Bergen?"),
)


def ask(paper: str, *asked: str) -> Answer:
    """The answer to the last of these, asked one after the other in one thread that was given the paper."""
    files = (GivenFile(file_id="file-1", filename="paper.txt", text=paper),) if paper else ()
    messages: list[SceneMessage] = []
    for text in asked:
        messages.append(SceneMessage(role=Role.USER, text=text, files=() if messages else files))
        answer = choose_move(Scene(model="any", instructions="", tools=frozenset(), messages=tuple(messages)))
        assert isinstance(answer, Answer)
        messages.append(SceneMessage(role=Role.ASSISTANT, text=answer.text, declined=answer.declined))
    return answer


@pytest.mark.parametrize(("paper", "question", "ends"), RIGHT, ids=[question for _, question, _ in RIGHT])
def test_what_one_line_says_in_so_many_words_is_answered(paper: str, question: str, ends: str) -> None:
    answer = ask(paper, question)

    assert not answer.declined, answer.text
    assert answer.text.endswith(ends)


def test_what_is_taken_for_a_heading_that_narrows_is_named_in_the_decline() -> None:
    paper = "Harbour library\nPayment due: 12 January 2027\nItem Days late Amount\nInvoice total: EUR 74.40"

    answer = ask(paper, "What is the invoice total?")

    assert answer.declined
    assert "the line that tells it stands under 'Item Days late Amount', which may narrow it" in answer.text


@pytest.mark.parametrize(("thing", "word"), [("replacement card", "card"), ("interlibrary loan", "loan")])
def test_a_word_that_hides_the_name_of_a_thing_is_named_in_the_decline(thing: str, word: str) -> None:
    answer = ask("Fees\nReplacement card 4.00\nInterlibrary loan 6.50", f"How much is a {thing}?")

    assert answer.declined
    assert f"'{word}' may be no part of a thing's name" in answer.text


@each(("paper", "question"), [(paper, one) for paper, asked in DECLINED.items() for one in asked])
def test_what_could_mean_something_else_is_declined(paper: str, question: str) -> None:
    answer = ask(paper, question)

    assert answer.declined, answer.text
    assert "runner serve --inference" in answer.text


@pytest.mark.parametrize(("paper", "question"), DENIED_ELSEWHERE)
def test_what_another_place_of_the_paper_may_change_is_declined(paper: str, question: str) -> None:
    answer = ask(paper, question)

    assert answer.declined, answer.text


@pytest.mark.parametrize(("asked", "ends"), THREADS)
def test_a_thread_is_quoted_right_or_declined(asked: tuple[str, ...], ends: str) -> None:
    answer = ask("", *asked)

    assert answer.declined is not bool(ends), answer.text
    assert answer.declined or answer.text.endswith(ends)


def test_reading_a_long_document_takes_no_more_than_its_length() -> None:
    lines = ("Item {} 12.50", "The train {} leaves Bergen at 07:57.", "Each guest {} may bring two bags.", "Section {}")

    def read_s(count: int) -> float:
        paper = "\n".join([*(lines[index % 4].format(index) for index in range(count)), "Burger 23.75"])
        start = time.process_time()
        assert "23.75" in ask(paper, "How much is the burger?").text
        return time.process_time() - start

    read_s(100)
    shorter, longer = min(read_s(250) for _ in range(5)), min(read_s(2000) for _ in range(5))
    assert longer < 24 * shorter  # 8 times as much text
