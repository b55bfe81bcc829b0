"""Names of months in the languages of releases, and dates of the Iranian calendar. Pure."""

from __future__ import annotations

import unicodedata
from datetime import date

import jdatetime

# Twelve months for each language, January first, in the forms that dates use. "/" separates variants.
_NAMES = (
    (
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug "
        "september/sept/sep october/oct"
        " november/nov december/dec"
    ),
    (
        "januar/jänner februar/feber märz/mrz april mai juni juli august september "
        "oktober/okt november dezember/dez"
    ),
    (
        "janvier/janv février/févr mars avril/avr mai juin juillet/juil août septembre "
        "octobre novembre décembre/déc"
    ),
    (
        "enero/ene febrero marzo abril/abr mayo junio julio agosto/ago"
        " septiembre/setiembre/set octubre noviembre"
        " diciembre/dic"
    ),
    (
        "gennaio/gen febbraio marzo aprile maggio/mag giugno/giu"
        " luglio/lug agosto settembre ottobre/ott novembre"
        " dicembre"
    ),
    "janeiro fevereiro/fev março abril maio junho julho agosto setembro outubro/out novembro dezembro",
    "januari februari maart/mrt april mei juni juli augustus september oktober november december",
    (
        "stycznia/styczeń lutego/luty marca/marzec kwietnia/kwiecień maja/maj czerwca/czerwiec lipca/lipiec"
        " sierpnia/sierpień września/wrzesień października/październik listopada/listopad grudnia/grudzień"
    ),
    (
        "ledna/leden února/únor března/březen dubna/duben května/květen června/červen "
        "července/červenec srpna/srpen"
        " září října/říjen - prosince/prosinec"
    ),
    (
        "januára/január februára/február marca/marec apríla/apríl mája/máj júna/jún júla/júl "
        "augusta septembra októbra"
        " novembra decembra"
    ),
    (
        "sausio/sausis vasario/vasaris kovo/kovas balandžio/balandis gegužės/gegužė "
        "birželio/birželis liepos/liepa"
        " rugpjūčio/rugpjūtis rugsėjo/rugsėjis spalio/spalis lapkričio/lapkritis gruodžio/gruodis"
    ),
    (
        "janvāris/janvārī februāris/februārī marts/martā aprīlis/aprīlī"
        " maijs/maijā jūnijs/jūnijā jūlijs/jūlijā"
        " augusts/augustā septembris/septembrī oktobris/oktobrī novembris/novembrī decembris/decembrī"
    ),
    (
        "jaanuar/jaanuaril veebruar/veebruaril märts/märtsil aprill/aprillil mail "
        "juunil/juuni juulil/juuli augustil"
        " septembril oktoobril/oktoober novembril detsembril/detsember"
    ),
    (
        "tammikuuta/tammikuu helmikuuta/helmikuu maaliskuuta/maaliskuu"
        " huhtikuuta/huhtikuu toukokuuta/toukokuu"
        " kesäkuuta/kesäkuu heinäkuuta/heinäkuu elokuuta/elokuu syyskuuta/syyskuu lokakuuta/lokakuu"
        " marraskuuta/marraskuu joulukuuta/joulukuu"
    ),
    "- - - - maj - - augusti - - - -",
    "- - marts - - - - - - - - desember/des",
    (
        "január/januar február/februar március/marcius április/aprilis"
        " május/majus június/junius július/julius"
        " augusztus szeptember október november december"
    ),
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "siječnja veljače ožujka travnja svibnja lipnja - kolovoza rujna - studenoga/studenog prosinca",
    "januarja februarja marca aprila maja junija julija avgusta/avgust septembra oktobra novembra decembra",
    "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "januari februari/pebruari maret - mei juni juli agustus september oktober nopember desember",
    (
        "января/январь/янв февраля/февраль/фев марта/март апреля/апрель/апр мая/май июня/июнь июля/июль"
        " августа/август/авг сентября/сентябрь/сен октября/октябрь/окт ноября/ноябрь/ноя декабря/декабрь/дек"
    ),
    (
        "січня/січень лютого/лютий березня/березень квітня/квітень травня/травень червня/червень липня/липень"
        " серпня/серпень вересня/вересень жовтня/жовтень листопада/листопад грудня/грудень"
    ),
    "студзеня лютага сакавіка красавіка мая чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня",
    "януари февруари март април май юни юли август септември октомври ноември декември",
    (
        "јануар/јануара фебруар/фебруара марта априла маја јуна/јуни јула/јули августа "
        "септембра октобра новембра децембра"
    ),
    (
        "ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου"
        " ιουλίου αυγούστου σεπτεμβρίου οκτωβρίου νοεμβρίου"
        " δεκεμβρίου"
    ),
    "يناير فبراير مارس أبريل/ابريل مايو يونيو يوليو أغسطس/اغسطس سبتمبر أكتوبر/اكتوبر نوفمبر ديسمبر",
    "- شباط آذار نيسان أيار حزيران تموز آب أيلول - - -",
    "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر",
    (
        "ינואר/בינואר פברואר/בפברואר מרץ/במרץ אפריל/באפריל מאי/במאי יוני/ביוני יולי/ביולי אוגוסט/באוגוסט"
        " ספטמבר/בספטמבר אוקטובר/באוקטובר נובמבר/בנובמבר דצמבר/בדצמבר"
    ),
    "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर/सितम्बर अक्टूबर/अक्तूबर नवंबर/नवम्बर दिसंबर/दिसम्बर",
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
)
_JALALI = "فروردین اردیبهشت خرداد تیر مرداد شهریور مهر آبان آذر دی بهمن اسفند"
_JALALI_MONTHS = {name: number for number, name in enumerate(_JALALI.split(), 1)}


def _fold(word: str) -> str:
    """Return `word` in lower case and without accents, so that "Aout" and "AOÛT" are one month."""
    bare = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in bare if not unicodedata.combining(char))


def _table() -> dict[str, int]:
    table: dict[str, int] = {}
    for line in _NAMES:
        for number, variants in enumerate(line.split(), 1):
            for name in variants.split("/"):
                table.setdefault(_fold(name), number)
    levantine = ("كانون الثاني", "تشرين الأول", "تشرين الثاني", "كانون الأول")
    table.update(zip(map(_fold, levantine), (1, 10, 11, 12), strict=True))
    return table


_MONTHS = _table()


def month_number(word: str) -> int | None:
    """Return 1 to 12 for the name of a month in any of these languages, or None."""
    if word.isascii():
        return _MONTHS.get(word.lower())
    return _MONTHS.get(_fold(word)) if len(word) <= 14 else None


def jalali_month(word: str) -> int | None:
    """Return 1 to 12 for the name of a month of the Iranian calendar, or None."""
    return _JALALI_MONTHS.get(word)


def from_jalali(year: int, month: int, day: int) -> date | None:
    """Return the Gregorian date of a day of the Iranian calendar (years 1300 to 1500), or None."""
    if not 1300 <= year <= 1500:
        return None
    try:
        found: date = jdatetime.date(year, month, day).togregorian()
    except ValueError:
        return None
    return found
