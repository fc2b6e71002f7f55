"""Tables of general English words, by the part that they play in a question."""

from __future__ import annotations

# Words that change what is asked: a calculation never passes over one of them.
CHANGING = frozenset(
    """
    not no never none nobody nothing neither nor without except excluding excludes exclude minus besides apart
    only just alone but however although unless or either instead rather if when while until unlike more less
    fewer most least cheapest cheaper dearest expensive highest lowest biggest smallest larger smaller greater
    second fourth fifth sixth eighth tenth than same equal double twice thrice triple doubled tripled half
    halves halved third quarter quarters already still again yet later earlier before after then first last next
    previous once another other others extra additional rest remaining left remainder some any several few
    couple couples many myself himself herself themselves yourself who whom whose which where why won lost found
    earned earns earn gave gives give given sold sell sells lent lend borrowed borrow returned return refund
    refunded refunds discount discounted coupon voucher deposit rebate cashback credit debt loan interest
    prepaid advance change includes included include including inclusive covers covered cover added subtract
    subtracted removed remove cancelled canceled cancel skipped skip shared sharing treated treats treat free
    complimentary increased decreased increase decrease reduced reduction rose fell grew raised dropped up down
    off cut back away out tip tips gratuity tax taxes vat surcharge fee fees percent percentage average mean
    budget save saved saving savings owed owes exchange convert converted rate profit loss margin ratio
    probability area perimeter speed hundred thousand million billion k per each every apiece always usually
    maybe perhaps about around approximately roughly almost nearly children child kid kids adult adults baby
    infant senior seniors student students
    """.split()
)

# Words that carry structure, or say nothing about amounts.
NEUTRAL = frozenset(
    """
    a an the our my your this these of in on at to from for with by and as we i us me it is are was were be been
    being am have has had having do does did done should must will would can could shall may might need needs
    please so final how much what total totals totalling totaling altogether together sum exactly precisely
    correctly amount amounts price prices priced cost costs costing value pay pays paid paying owe spend spends
    spent come came comes make makes work out get got split divide divided share everyone everybody equally
    evenly fairly among amongst between there here hi hello hey thanks thank ok okay tell know find calculate
    compute figure also both all people person persons now today tonight yesterday buy buys bought book booked
    rent rented hire hired order ordered eat ate drink drank go went goes going took take stay stayed stays
    travel travelled traveled visit visited use used charge charged charges want let like say new one they each
    ~ ^ , ; : . ? !
    """.split()
)

# Nouns of travel, meals and shopping; others are accepted only where a noun must stand.
NOUNS = frozenset(
    """
    bill bills check tab invoice receipt restaurant dinner lunch breakfast brunch supper meal meals hotel hostel
    motel inn apartment flat villa house cabin cottage room rooms suite taxi taxis cab uber ride rides train
    trains bus buses flight flights plane ferry boat bike bikes car cars van ticket tickets pass passes tour
    tours museum entrance admission fuel gas petrol parking toll coffee coffees tea snack snacks grocery
    groceries drink drinks food wine beer water trip trips journey holiday vacation stay weekend night nights
    day days week weeks hour hours team group family party club class crew company table souvenir souvenirs gift
    gifts present presents shirt shirts shoes jacket bag bags book books item items thing things purchase
    shopping expenses expense transport transfer rental accommodation lodging money cash dollars euros way ways
    part parts share shares portion portions friend friends guest guests member members player players colleague
    colleagues traveller travellers traveler travelers men women passengers passenger bottle bottles piece
    pieces pack packs box boxes concert cinema movie show
    """.split()
)

PEOPLE = (
    "people|persons?|friends|guests|players|members|colleagues|coworkers|co-workers|travell?ers|passengers|tourists|"
    "roommates|flatmates|housemates|teammates|classmates|diners|men|women|hikers|cyclists|skiers|runners|participants|heads"
)
PERSON = (
    "person|friend|guest|player|member|colleague|coworker|travell?er|passenger|tourist|roommate|flatmate|diner|man|woman|"
    "hiker|cyclist|skier|runner|participant"
)
ONE_PERSON = (
    "friend|wife|husband|partner|girlfriend|boyfriend|sister|brother|mother|father|mom|mum|dad|son|daughter|"
    "colleague|roommate|flatmate|cousin|boss|neighbou?r|spouse|fianc[eé]e?"
)

# What a question can leave out of its answer: they are not looked for in documents.
UNSEARCHED = frozenset(
    """
    a an the our my your this that these those of in on at to from for with by and as we i us me you it its they
    he she is are was were be been am have has had having do does did should must will would can could shall may
    might need needs please so how much many what when where who whose whom which why long far old time date day
    price cost costs amount there here hi hello hey thanks thank ok okay tell know find show give get got say
    said says mention mentioned told according document documents file files pdf attached attachment text page
    sheet letter exactly also about into per any kind type name called take takes want like see go goes going
    happen happens listed written pay paid charged owe
    """.split()
)

# Of those, the ones that are looked for where a question has nothing else ("What is my name?").
WEAK = frozenset("name date type address".split())

# Words of which one stands for the others when a passage is looked for.
SYNONYMS = (
    "leave leaves leaving left depart departs departing departure departures departed dep",
    "arrive arrives arriving arrival arrivals arrived arr",
    "open opens opening opened",
    "close closes closing closed",
    "serve serves served serving",
    "meet meets meeting",
    "start starts starting begin begins beginning",
    "end ends ending finish finishes finishing",
    "luggage baggage",
    "bag bags",
    "phone telephone tel",
    "wifi wi-fi wlan",
    "email e-mail mail",
    "checkin check-in",
    "checkout check-out",
    "board boards boarding",
    "cancel cancels cancelled canceled cancellation cancelling canceling",
    "weigh weighs weight",
    "staying stay stays",
    "allergy allergic allergies",
    "vat tax taxes",
    "tip gratuity tips",
    "allow allowed allows allowance permitted",
)

PRICE_NOUNS = frozenset("price cost fee fare charge rate amount total".split())

# Verbs that tell what happens at a time or place, in the form that `root` gives them.
PREDICATES = frozenset("leave arrive open close start end board serve meet".split())
PREPOSITIONS = frozenset("of in on at for from to with by near into towards between until before after".split())
AUXILIARIES = frozenset("do does did is are was were can will must may should".split())

NEGATIONS = frozenset(
    "not no never none nobody nothing neither nor without except excluding unless closed cannot".split()
)

LABELS = {
    "total": (
        *("total", "grand total", "sum total", "sum", "total amount", "total price", "total cost"),
        *("total due", "amount due", "balance due", "total amount due"),
        *("to pay", "total to pay", "amount payable", "total payable"),
    ),
    "grand total": ("grand total",),
    "amount due": ("amount due", "total amount due", "total due", "balance due"),
    "balance": ("balance", "balance due"),
    "subtotal": ("subtotal", "sub total", "sub-total", "net total", "net amount"),
    "tax": ("tax", "vat", "sales tax", "gst", "iva", "city tax", "tourist tax", "tax amount", "total tax"),
    "tip": ("tip", "gratuity"),
    "service charge": ("service charge", "service", "service fee"),
}

# First words of lines that are no item: they sum up, or tell how it was paid.
SUMMING = frozenset(
    """
    total subtotal sub sum tax vat gst iva tip gratuity service amount balance due grand net gross change cash
    card visa mastercard amex paid payment tendered rounding deposit prepaid credit debit sales city tourist
    """.split()
)
LOWERING = frozenset("discount void voided refund refunded coupon voucher promo comp cancelled canceled".split())
