"""Word lists: menus, share buttons, organisations and news agencies, in the languages of releases."""

from __future__ import annotations


def words(text: str, between: str | None = None) -> frozenset[str]:
    """Return the words in `text`, or the parts between the separators `between`."""
    return frozenset(part.strip() for part in " ".join(text.split()).split(between))


SHARE = words(
    """
    facebook twitter linkedin whatsapp telegram pinterest reddit instagram youtube tiktok vkontakte
    viber weibo wechat messenger threads mastodon bluesky flickr tumblr share tweet print printer
    printable teilen drucken partager imprimer compartir imprimir condividi stampa compartilhar dalintis
    dalinkis dalintis: spausdinti поделиться печать распечатать поділитися друкувати роздрукувати
    udostępnij drukuj dela skriv シェア シェアする ツイート ツイートする 印刷 印刷する 共有 共有する
    分享 打印 列印 转发 轉發 공유 공유하기 인쇄 프린트 مشاركة شارك طباعة چاپ اشتراک‌گذاری paylaş yazdır
    bagikan cetak skriva tulosta jaa email e-mail pdf vk odnoklassniki
    分享到 分享至 转发到 シェア： 공유: share:
    """
)
SHARE_FILLERS = words(
    """
    this on by via to article page story post news release copy link links copied a friend with us
    follow like x rss save download comment comments more font size text and our in new window opens the
    url permalink bookmark icon line auf sur en su per mail send kopieren kopiuoti nuorodą tw fb wa tg
    ok g google plus pocket buffer clipboard button buttons version friendly or listen increase decrease
    larger smaller aa по почте на для в через ссылку copier le lien enviar correo añadir zu artikel
    seite beitrag naujieną puslapį draugui el paštu lägg facebook kaip f t digg stumbleupon delicious
    微信 微博 facebookで xで する へ
    """
)
MENU = words(
    """
    home|homepage|home page|news|news & events|news and events|news room|newsroom|press|press room|
    press centre|press center|press office|press service|press corner|press releases|press release|media|
    media centre|media center|media room|about|about us|who we are|what we do|our work|contact|
    contact us|contacts|menu|main menu|search|search site|main navigation|navigation|log in|login|
    log out|sign in|sign up|my account|account|register|subscribe|sitemap|site map|privacy|
    privacy policy|privacy notice|terms|terms of use|terms of service|terms & conditions|
    terms and conditions|legal notice|legal|disclaimer|accessibility|accessibility statement|imprint|
    careers|jobs|vacancies|events|calendar|publications|documents|library|archive|archives|video|videos|
    photo|photos|photo gallery|gallery|galleries|rss|rss feed|faq|faqs|help|next|previous|top|close|more|
    all news|latest news|latest|topics|services|products|solutions|investors|investor relations|partners|
    resources|blog|blogs|podcast|podcasts|multimedia|opinion|opinions|world|politics|economy|business|
    sports|sport|culture|science|technology|tech|society|health|international|national|local|regions|
    live|weather|advertise|advertise with us|donate|shop|store|cart|military|wmd|intelligence|space|
    homeland security|security|systems|special weapons|further reading|site index|language|languages|
    select language|english|deutsch|français|francais|español|espanol|italiano|português|polski|lietuvių|
    latviešu|eesti|русский|українська|中文|日本語|한국어|العربية|فارسی|türkçe|nederlands|svenska|norsk|
    dansk|suomi|čeština|slovenčina|magyar|română|bahasa indonesia|tiếng việt|简体中文|繁體中文|简体|繁體|
    en|de|fr|es|it|pt|pl|lt|lv|et|ru|uk|ua|zh|ja|jp|ko|kr|ar|fa|tr|nl|sv|no|da|fi|cs|sk|hu|ro|or|eng|rus|
    ukr|lit|pol|deu|fra|government|ministry|minister|ministers|the ministry|the minister|activities|
    policy|policies|for journalists|for media|spokesperson|spokespersons|facebook|twitter|x|instagram|
    linkedin|youtube|telegram|impressum|datenschutz|kontakt|startseite|aktuelles|presse|suche|
    barrierefreiheit|leichte sprache|accueil|actualités|recherche|mentions légales|nous contacter|inicio|
    noticias|buscar|contacto|aviso legal|prensa|pradžia|titulinis|naujienos|paieška|kontaktai|apie mus|
    svetainės medis|privatumo politika|главная|новости|поиск|контакты|о нас|о министерстве|пресс-центр|
    пресс-служба|головна|новини|пошук|контакти|про нас|aktualności|strona główna|szukaj|o nas|ホーム|
    トップ|ニュース|お知らせ|検索|サイトマップ|お問い合わせ|採用情報|会社情報|企業情報|メニュー|
    文字サイズ|首页|首頁|新闻|新聞|新闻中心|关于我们|联系我们|搜索|网站地图|网站首页|홈|소식|알림|검색|
    사이트맵|회사소개|로그인|الرئيسية|الأخبار|اتصل بنا|بحث|خانه|اخبار|تماس با ما|جستجو|ads|print|email|
    share|comments|leave a comment|back|facts|data|statistics|tools|overview|members|about this site|
    copyright|cookies|feedback|sections|explore|trending|featured|editions|edition|regional|
    customer service|accept|ok|got it|dismiss|submit|send|go|a-z|a-z index|site search|quick links|
    useful links|links|follow us|connect|stay connected|newsletter|read|watch|listen
    """,
    "|",
)
# Words that are typical of an organisation's name if it is short, but also occur in many headlines.
VAGUE = words(
    """
    city municipality region province county state republic kingdom federal national house centre
    center trust alliance league wing brigade division regiment battalion squadron fleet affairs
     port power energy grid railways airlines systems technologies
    industries partners archive archives theatre theater opera orchestra zoo observatory guild club
    lines shipping company times post herald journal daily press news court army navy forces police
    guard services service media network group fund bank hospital museum government union society
    board congress parliament senate cabinet television radio
    """
)
ORGANISATIONS = words(
    """
    nations ministry department office agency bureau commission council committee authority administration
    secretariat directorate institute institution university college academy embassy consulate mission
    delegation presidency chancellery
    command corps foundation association federation
    organization organisation corporation corp inc ltd llc plc gmbh ag sa sas nv
    bv ab oy asa spa srl kk co holding holdings laboratories laboratory labs
    airport newspaper
    tv tribune gazette broadcasting
    wire newswire
    ministère ministere agence préfecture gouvernement conseil
    commissariat institut université ambassade société ministerium bundesministerium auswärtiges amt
    behörde bundesamt bundesregierung senatsverwaltung stadt universität hochschule verband stiftung
    verein botschaft presseamt ministerio gobierno agencia secretaría consejo ayuntamiento universidad
    instituto embajada fundación ministero governo agenzia comune università istituto ambasciata
    fondazione ministério agência secretaria prefeitura universidade ministerie gemeente rijksoverheid
    universiteit ministerstwo kancelaria urząd agencja rada uniwersytet instytut ambasada spółka
    ministerija vyriausybė seimas agentūra institutas universitetas tarnyba savivaldybė direkcija
    departamentas uostas bendrovė kanceliarija centras ministrija aģentūra valdība ministeerium amet
    valitsus ministeriö virasto valtioneuvosto yliopisto departementet regeringen myndigheten verket
    styrelsen ministeriet universitet kommune kommun direktoratet ministerstvo vláda úřad úrad agentura
    agentúra univerzita minisztérium kormány hivatal ministerul guvernul bakanlığı başkanlığı kurumu
    üniversitesi belediyesi ajansı kementerian ministarstvo vlada agencija министерство мид минобороны
    правительство агентство служба комитет департамент управление институт университет посольство совет
    администрация фонд компания корпорация риа тасс пресс-служба кремль міністерство уряд комітет
    управління інститут університет рада верховна офіс міноборони укрінформ компанія министерството
    правителството агенция міністэрства міністарство министарство влада وزارة وزارت وكالة خبرگزاری
    الحكومة دولت سازمان هيئة جامعة دانشگاه مجلس سفارة سفارت بانک شركة شرکت الخارجية υπουργείο κυβέρνηση
    οργανισμός πανεπιστήμιο πρεσβεία משרד ממשלת
    """
)
AGENCIES = words(
    """
    tass irna isna tasnim mehr fars presstv kcna yonhap xinhua cna voa rfe/rl rferl rfa afp ap reuters
    dpa ansa efe pap elta ukrinform interfax sana wafa anadolu aa nato un unhcr unicef who wto imf iaea
    osce eu eeas nasa esa noaa centcom dod idf ispr mofa pib isw cern ecb fda cdc faa epa nhs bbc kyodo
    nhk jiji ria novosti sputnik aftenposten pentagon kremlin undp unesco wfp fao opec asean icrc ifrc
    icc icj europol frontex eurocontrol interpol dvids pajhwok tolonews dawn dow unifil minusma africom
    eucom indopacom southcom stratcom тасс рбк укринформ укрінформ интерфакс الأناضول سانا ايرنا ایرنا
    تسنیم فارس مهر
    """
)
