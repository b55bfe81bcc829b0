"""Patterns of page furniture (menus, buttons, notices, end marks) around releases on web pages. Pure."""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    """The kind of a line. FURNITURE is removed everywhere, WEAK lines only above and below the text."""

    TEXT = auto()
    FURNITURE = auto()
    WEAK = auto()  # A menu word, or "Press release". Inside the text, such a line is a heading.
    END = auto()  # The mark at the end of the release.
    RELATED = auto()  # The heading of a list of other pages.
    CONTACT = auto()  # The heading of names and telephone numbers.
    REACH = auto()  # A telephone number or an email address.


# Each rule has a name, the kind of a line that it matches, and a pattern for the whole line in lower case.
# The first match counts. Repetitions are bounded, so that no line can make a pattern slow.
RULES: tuple[tuple[str, Kind, str], ...] = (
    (
        "end mark",
        Kind.END,
        (
            r"(?:#\s*){2,5}|[-–—*\s]*[(\[]?\s*(?:ends?|ende|fin|fim|fine|koniec|pabaiga|конец|кінець|完|終"
            r"|以上|끝|نهاية|پایان)\s*[)\]]?[-–—*.\s]*"
        ),
    ),
    (
        "end number",
        Kind.END,
        (
            r"[-–—*\s(]*(?:30|0)[-–—*\s)]+|[-–—]\s?(?:30|0)\s?[-–—]?|n{4}|end(?:item|it)(?:/\w{1,6})?"
            r"|end\s\d{1,2}:\d{2}.{0,16}|\(e\)"
            r"|/{2,}\s*end[s]?\s*/{2,}|[（(〔【]?(?:了|完|以上|끝)[)）〕】]?"
            r"|[-–—* ]*end of (?:the )?(?:release|text"
            r"|statement|document|message)[-–—*. ]*"
        ),
    ),
    (
        "rule",
        Kind.FURNITURE,
        r"[\s|¦=_*~•·.\-–—―─━□■◆◇※☆★/\\+<>«»‹›↑↓←→]+",
    ),
    (
        "skip link",
        Kind.FURNITURE,
        (
            r"(?:skip|jump|go) (?:to|directly to|straight to)\b.{0,60}|zum (?:haupt)?inhalt\b.{0,40}"
            r"|aller au contenu.{0,30}|(?:ir|saltar) al contenido.{0,30}|vai al contenuto.{0,30}"
            r"|pereiti prie.{0,30}|przejdź do.{0,30}|本文へ.{0,20}"
            r"|跳[到至转轉].{0,20}|본문 ?바로 ?가기.{0,20}"
        ),
    ),
    (
        "breadcrumb",
        Kind.FURNITURE,
        (
            r"(?:you are here|sie sind hier|vous êtes ici|usted está aquí|jūs esate čia)\b.{0,200}|(?:home"
            r"|homepage|start|startseite|accueil|inicio|início|pradžia|titulinis|главная|головна"
            r"|strona główna|ホーム|首页|首頁|홈|الرئيسية|خانه)\s*(?:[>»›/→|・·]|&gt;).{0,220}"
        ),
    ),
    (
        "trail",
        Kind.FURNITURE,
        r"[^.!?>»›]{1,40}(?:\s[>»›→]\s[^.!?>»›]{1,80}){2,6}",
    ),
    (
        "official site",
        Kind.FURNITURE,
        (
            r"(?:an official website of|here['’]s how you know|official websites use|secure \.gov websites"
            r"|a lock\b.{0,80}means you).{0,200}"
        ),
    ),
    (
        "cookies",
        Kind.FURNITURE,
        (
            r"(?:this (?:web)?site|this page|we|our (?:web)?site|our partners"
            r"|we and our partners) uses? (?:\w+ ){0,3}cookies.{0,300}|by (?:continuing|using|clicking"
            r"|browsing)\b.{0,120}\bcookies?\b.{0,120}|(?:accept|reject|allow|decline|manage"
            r"|customi[sz]e)(?: all| necessary| optional| non-essential)*(?: cookies| preferences"
            r"| settings| choices)?|cookies? (?:settings|policy|preferences|notice|consent)|(?:diese"
            r"|unsere) (?:web)?(?:site|seite) (?:verwendet|nutzt) cookies.{0,200}"
            r"|ce site (?:web )?utilise des cookies.{0,200}|(?:este sitio|esta web).{0,20} (?:utiliza"
            r"|usa) cookies.{0,200}|ši svetainė naudoja slapukus.{0,200}|(?:этот "
            r"|наш )?сайт использует (?:файлы )?cookie.{0,200}|(?:当"
            r"|この)サイトでは.{0,20}(?:クッキー|cookie).{0,120}"
            r"|本网站使用cookie.{0,120}|alle akzeptieren|tout accepter|aceptar todo|sutinku"
        ),
    ),
    (
        "mailing list",
        Kind.FURNITURE,
        (
            r"(?:join|sign[ -]?up|subscribe|register|get|receive|follow)\b.{0,80}\b(?:mailing list"
            r"|newsletters?|e-?mail (?:updates|alerts)|(?:to|in|into) your inbox|news alerts|rss feed"
            r"|e-?mail list|daily digest|our channel|telegram channel)\b.{0,60}|(?:newsletter"
            r"|mailing list)(?: sign[ -]?up| subscription)?|(?:enter"
            r"|your)(?: your)? e-?mail(?: address)?[:*]?|subscribe(?: now| here| today)?"
            r"|sign[ -]?up(?: now| here| today)?|unsubscribe.{0,60}|(?:jetzt )?newsletter (?:abonnieren"
            r"|bestellen).{0,40}|(?:inscrivez-vous|abonnez-vous) à .{0,80}|suscríbase .{0,80}"
            r"|(?:prenumeruok|užsisakyk)\w* .{0,60}|подпи(?:шитесь|саться).{0,60}|підпи(?:шіться"
            r"|сатися).{0,60}|メールマガジン.{0,30}|订阅.{0,12}|訂閱.{0,12}|뉴스레터.{0,20}"
        ),
    ),
    (
        "advertisement",
        Kind.FURNITURE,
        (
            r"[-–—\s\[(]*(?:advertisements?|advertising|anzeige|werbung|publicité|publicidad|pubblicità"
            r"|reklama|реклама|広告|广告|廣告|광고|إعلان|story continues below.{0,20}|continue reading.{0,40}"
            r"|sponsored(?: content)?)[-–—\s\])]*"
        ),
    ),
    (
        "copyright",
        Kind.FURNITURE,
        (
            r"(?:©|\(c\)|copyright\s*(?:©|\(c\)|\d{4}|by\b|[:,]|\Z)).{0,300}"
            r"|.{0,160}\ball rights (?:are )?reserved\b.{0,120}"
            r"|.{0,80}(?:visos teisės saugomos|alle rechte vorbehalten|tous droits réservés"
            r"|todos los derechos reservados|tutti i diritti riservati|todos os direitos reservados"
            r"|все права защищены|усі права захищ\w+|wszelkie prawa zastrzeżone"
            r"|無断転載.{0,12}|版权所有|版權所有"
            r"|저작권자).{0,120}|reprinted with (?:the )?permission.{0,200}"
        ),
    ),
    (
        "caption",
        Kind.FURNITURE,
        (
            r"photo details.{0,40}|vcg|getty images|shutterstock|.{10,250}[.!?)] /[\w .]{2,30}\)?"
            r"|(?:photos?|file photo|image|picture|pic|illustration|video|graphic|infographic|foto|bild"
            r"|abbildung|imagen|nuotr|nuotrauka|фото|зображення|写真|画像|图片?|圖片?|사진|عکس"
            r"|صورة)(?: (?:credits?"
            r"|courtesy|caption|source|by|autorius))?\s?[:/：=]\s?.{1,300}|photos? (?:by|courtesy"
            r"|credit)\b.{1,120}|(?:photo|image) (?:caption|credit)s?\b.{0,200}|(?:credit|caption"
            r"|credits)\s?:.{1,300}|[(\[](?:photo|image|picture|cover|file photo|logo|ap photo|afp photo|foto"
            r"|bild|video|写真)\b[^()\[\]]{0,160}[)\]]|(?:view original|download (?:image|photo|logo|pdf"
            r"|this|full|hi-?res|media|press).{0,40}|hi-?res(?:olution)?.{0,20}|virin\s?:.{0,40}"
            r"|enlarge.{0,20}|click to (?:enlarge|view).{0,40}|logo\s?[-–—:].{0,200})"
        ),
    ),
    (
        "read more",
        Kind.FURNITURE,
        (
            r"(?:read (?:more|also|next)|see also|also read|more on this|watch|watch live|listen|related"
            r"|related article|related story|mehr (?:dazu|lesen)|lesen sie auch|lire aussi|à lire aussi"
            r"|leer más|lea también|leggi anche|skaitykite taip pat|skaityti daugiau|читайте также"
            r"|читайте також|czytaj (?:także|też|więcej)|関連記事|相关(?:新闻"
            r"|报道))\s?[:：>»→].{0,200}|(?:read|learn"
            r"|see|show|view|find out|load) (?:more|less|all|full article|full story|the full (?:story"
            r"|article|text|release))(?: here| news| stories| releases| »| >)?[.…]*|mehr lesen"
            r"|lire la suite|leer más|skaityti daugiau|подробнее|детальніше|czytaj więcej"
            r"|続きを読む|阅读更多|더 ?보기"
            r"|click here.{0,80}|continue(?: reading)?"
        ),
    ),
    (
        "back link",
        Kind.FURNITURE,
        (
            r"[<«‹←↑^]?\s?(?:back(?: to .{1,40})?|to the top|scroll to top|return to .{1,40}"
            r"|zurück(?: .{1,30})?|nach oben|retour.{0,30}|haut de page|volver.{0,20}|arriba|atgal.{0,20}"
            r"|į viršų|назад|наверх|ページの?(?:先頭|トップ)へ(?:戻る)?|一覧(?:へ戻る|に戻る)"
            r"|返回.{0,10}|목록(?:으로)?|맨 ?위로)"
            r"|(?:previous|next|older|newer)(?: (?:article|story|post|page|release|news"
            r"|item))?(?:\s?[:：>»→].{0,160})?"
        ),
    ),
    (
        "tags",
        Kind.FURNITURE,
        (
            r"(?:tags?|key ?words?|topics?|filed under|categor(?:y|ies)|themen|schlagw[oö]rt\w*|mots-clés"
            r"|etiquetas|palabras clave|raktažodžiai|žymos|теги|ключевые слова|ключові слова|тегі|タグ|标签"
            r"|關鍵字|关键词|태그|labels|hashtags?|related topics"
            r"|multimedia files|file under)\s?[:：].{0,300}"
            r"|(?:#\w{2,40}[\s,]*){1,20}"
        ),
    ),
    (
        "counters",
        Kind.FURNITURE,
        (
            r"\d{3,5}\*{1,2}\d{3,5}(?:\*{1,2}\d{1,5})?|\d{1,3} (?:of|/) \d{1,3}|visitor counter.{0,20}"
            r"|(?:views?|reads?|shares?|likes?|comments?|просмотр\w*"
            r"|hits|閲覧数|阅读|浏览|조회수|visits|news id"
            r"|news code|story code|code|id|article id|print id|release id|short url|short link|shortlink"
            r"|permalink|url|source url|original url)\s?[:：]\s?\S{1,160}(?: \S{1,20})?|[\d.,]+k? (?:views?"
            r"|shares?|likes?|comments?|reads?)|(?:\d{1,2}|one|two|three) min(?:ute)?s?\.? (?:read|listen)"
            r"|(?:reading|estimated) time\s?:?.{0,20}|listen to (?:this )?article.{0,20}"
            r"|leave a (?:comment|reply)|no comments?(?: yet)?|comments? (?:are )?(?:closed|off)"
        ),
    ),
    (
        "credits",
        Kind.WEAK,
        (
            r"[(\[](?:by|reporting|writing|editing|edited|compiled|written"
            r"|additional reporting)\b[^()]{1,160}[)\]]"
            r"|(?:reporting|writing|editing|edited|compiled|translated) by .{1,120}"
            r"|(?:editor|editors|author|reporter|редактор|责任编辑|编辑|責任編輯|記者|기자)\s?[:：].{1,60}"
        ),
    ),
    (
        "embargo",
        Kind.WEAK,
        (
            r"(?:strictly )?(?:under )?embargo(?:ed)?\s?(?:until|till|:|for release|to|bis|jusqu).{0,100}"
            r"|hold for release.{0,80}|not for (?:release|publication|broadcast) (?:until|before).{0,80}"
            r"|sperrfrist.{0,80}"
        ),
    ),
    (
        "notice",
        Kind.WEAK,
        (
            r"for information media\..{0,60}|not an official record.{0,20}|read this release in\s?:.{0,120}"
            r"|[^.!?]{0,60}\bwebsites? can (?:also )?be accessed\b.{0,80}|(?:the )?(?:views"
            r"|opinions) expressed.{0,300}|(?:this|the) (?:page|article|story|text"
            r"|content|document|material|site|release) (?:was|is|has been|may be|may) (?:last |first "
            r"|also |not |machine |automatically |originally |only )*(?:updated|published|posted|available"
            r"|modified|reproduced|distributed|provided|translated|printed)\b.{0,200}|(?:reproduction"
            r"|redistribution|republication) .{0,160}(?:permitted|prohibited|permission|allowed"
            r"|source).{0,80}|not for (?:release|distribution|publication) .{0,200}|(?:source|quelle"
            r"|šaltinis|источник|джерело|出典|来源|來源)\s?[:：]\s?.{1,120}"
        ),
    ),
    (
        "plumbing",
        Kind.FURNITURE,
        (
            r"view (?:the )?(?:original|source) .{0,120}|(?:source|original)\s?:\s?(?:https?://|www\.)\S+"
            r"|https?://\S+|www\.\S+|please (?:enable|turn on) javascript.{0,160}|(?:your browser"
            r"|javascript) (?:is|does|has|must).{0,160}|to view (?:the|this) (?:original|multimedia|video"
            r"|photo).{0,200}|(?:find|connect with|follow|like|visit|join) us (?:on|at)\b.{0,120}"
            r"|follow (?:@\S{1,40}|\w{1,30}(?: \w{1,20}){0,4} on (?:facebook|twitter|x|linkedin|instagram"
            r"|telegram|youtube)).{0,80}|toggle \w{1,20}|(?:open|close|show|hide) (?:menu|search"
            r"|navigation|sidebar|main menu|submenu).{0,20}|loading\.*|please wait\.*"
        ),
    ),
    (
        "release number",
        Kind.WEAK,
        (
            r"[a-z]{1,5}/\d{3,6}(?:/\d{1,4})?|[a-z]{2,4}/[a-z]{2,4}(?:/[a-z]{2,4})?"
            r"|[(\[](?:release|article|news|story|document) id\s?:?\s?\d+[)\]]"
            r"|(?:press |news |media )?(?:release|statement|communiqué|communique)?\s?"
            r"(?:no|nr|number|nº|n°"
            r"|№|ref|reference|id)\b[.:]?\s?:?\s?(?=[^ ]*\d)[\w./\-–]{1,30}(?: ?/ ?\d{2,4})?(?: en| fr)?"
            r"|(?:release|pr|ip|no pr|statement|mex|speech)[-/ ]{1,2}(?=[^ ]*\d)[\w./\-]{1,30}|(?:press"
            r"|news|media) release (?:no\.? |number |nr\.? |# ?)?(?=[^ ]*\d)[\w./\-–]{1,24}"
            r"|第\s?[\d\-]{1,10}\s?[号號]|\d{1,5}-\d\d-\d\d-\d{4}|\d{1,4}(?:st|nd|rd|th) (?:press release"
            r"|meeting)"
        ),
    ),
    (
        "kind of release",
        Kind.WEAK,
        (
            r"(?:for )?immediate release[:.]?|(?:(?:the|a|an|official|joint|latest|all) )?(?:press|news"
            r"|media|public)? ?(?:releases?|statements?|notes?|notices?|advisory|advisories|briefings?"
            r"|readouts?|remarks|fact ?sheets?|communiqu[ée]s?|announcements?|transcripts?|bulletins?"
            r"|information|speech|speeches|interviews?|declarations?|corner)|(?:presse)?mitteilung(?:en)?"
            r"|pressemitteilung(?:en)?|pressemeldung|medieninformation|medienmitteilung"
            r"|communiqué(?: de presse)?|nota (?:de prensa|à imprensa|stampa)|comunicado(?: de prensa)?"
            r"|comunicato(?: stampa)?|persbericht|pressmeddelande|pressemelding|pressemeddelelse|tiedote"
            r"|lehdistötiedote|pressiteade|pranešima[si] (?:spaudai|žiniasklaidai)|paziņojums(?: presei)?"
            r"|komunikat(?: prasowy)?|informacja prasowa|tisková zpráva|tlačová správa|sajtóközlemény"
            r"|comunicat de presă|basın (?:bülteni|açıklaması)|пресс-релиз|прес-реліз|сообщение для сми"
            r"|報道発表(?:資料)?|プレスリリース|ニュースリリース|新闻稿|新聞稿|보도자료|بيان صحفي"
            r"|خبر|press|breaking(?: news)?|exclusive"
            r"|urgent|update[sd]?|\(lead\)"
        ),
    ),
    (
        "related",
        Kind.RELATED,
        (
            r"(?:related|similar|recommended|other|latest|recent|more|most read|most popular|most viewed"
            r"|popular|top|trending|further|editors['’]? (?:picks?|choice))\s?(?:articles?|news|stor(?:y"
            r"|ies)|links?|content|topics?|reading|posts?|releases?|press releases|headlines|documents"
            r"|information|materials|videos|now|news releases|from .{1,60}|on this (?:topic|story)"
            r"|in .{1,40}|pages)?[:.]?|you (?:may|might) (?:also )?(?:like|be interested in).{0,20}"
            r"|also from this source|more from .{1,60}|most (?:read|popular|viewed|shared)|don['’]t miss"
            r"|see also:?|read also:?|weitere (?:meldungen|artikel|informationen|themen)|verwandte .{1,30}"
            r"|articles? (?:liés|connexes)|sur le même sujet|noticias relacionadas|artículos relacionados"
            r"|notizie correlate|susij(?:usios|ę) (?:naujienos|straipsniai|temos)|taip pat skaitykite"
            r"|похожие (?:новости|материалы)|другие новости|материалы по теме|читайте также|читайте також"
            r"|схожі новини|powiązane .{1,20}|zobacz także|関連(?:記事|リンク|情報|ニュース)"
            r"|最新(?:記事|ニュース|新闻|消息)"
            r"|相关(?:新闻|报道|链接|阅读)|相關(?:新聞|報導|連結)|관련 ?(?:기사|뉴스)|أخبار ذات صلة"
            r"|اقرأ أيضا|اخبار مرتبط"
        ),
    ),
    (
        "contact",
        Kind.CONTACT,
        (
            r"(?:for (?:any |more |further |additional )?(?:\w+ )?"
            r"(?:information|details|queries|questions|inquiries|enquiries)"
            r"(?: or \w+)?,? (?:please )?(?:contact|call|reach|write to)(?: us)?\s?[:：])"
            r"|(?:(?:for )?(?:media|press|public|investor|company|corporate|editorial|news)?\s?(?:relations"
            r"|affairs|office|desk)?\s?(?:contacts?|inquiries|enquiries|queries)(?: information| details"
            r"| person| persons| for (?:the )?(?:media|press|journalists))?|contacts? for .{1,40}"
            r"|contact us|(?:for )?(?:more|further|additional) (?:information"
            r"|details)(?:,? (?:please )?contact)?|(?:pr|media|press) ?contact|pressekontakt"
            r"|kontakt(?: für (?:die )?(?:presse|medien|rückfragen))?|ansprechpartner\w*|medienkontakt"
            r"|rückfragen(?: an| bitte an)?|contacts? (?:presse|médias)|contacto(?:s)?(?: de prensa)?"
            r"|contatti(?: stampa)?|contatto stampa|contato|perscontact|presskontakt(?:er)?|yhteystiedot"
            r"|lisätietoja|lisatieto|kontaktid|kontaktai(?: žiniasklaidai)?|daugiau informacijos"
            r"|papildoma informacija|kontakti|kontakt(?: dla mediów| prasowy)?|kontakty|sajtókapcsolat"
            r"|контакты?(?: для (?:сми|прессы))?|контакти|お?問い?合わせ先?"
            r"|(?:本件に関する)?お問い合わせ(?:先)?|連絡先|联系方式|联系人"
            r"|媒体联系(?:人)?|聯絡人|新聞聯絡人|문의(?:처)?|담당(?:자)?|للتواصل|تماس با ما)\s?[:：]?"
        ),
    ),
)
