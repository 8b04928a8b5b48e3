"""The words that made-up contacts are put together from. Ordinary names, no particular person's."""

# ruff: noqa: RUF001 - letters of other scripts look like Latin ones, and are meant

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Locale:
    """A script and its habits. `region` for phone numbers, `spaced` whether names are, family name first if not."""

    region: str
    given: tuple[str, ...]
    surnames: tuple[str, ...]
    company: str
    title: str
    city: str
    street: str
    country: str
    spaced: bool = True


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(first: str, second: str) -> tuple[str, ...]:
    return tuple(one + other for one in first for other in second)


LOCALES: Final = (
    Locale(
        "DE",
        _words("Jürgen Käthe Björn Götz Anneliese Sören Wiebke Matthias Zoë Renée Hänsel Ärmel"),
        _words("Müller Größmann Schröder Weiß Jäger Köhler Voß Krüger Löwe Strauß Bär Möller Schäfer Böhm Süß Lüders"),
        "Nordlicht Süßwaren GmbH",
        "Geschäftsführerin",
        "Köln",
        "Königsallee",
        "Deutschland",
    ),
    Locale(
        "FR",
        _words("Élodie Françoise Anaïs Gaël Loïc Noémie Zoé Hélène Jérôme Chloé Maëlle Aurèle"),
        _words("Lefèvre Garçon Béranger Chêne Müntz Desprès Noël Forêt Hénault Lachâtre Sénéchal Thévenot Guérin Cœur"),
        "Boulangerie du Château",
        "Ingénieure d'études",
        "Orléans",
        "rue de l'Église",
        "France",
    ),
    Locale(
        "ES",
        _words("María José Íñigo Begoña Ángel Inés Óscar Núria Lucía Martín Sofía Verónica"),
        _words("Muñoz Ibáñez García Nuñez Peña López Álvarez Cañizares Jiménez Gómez Sáenz Yáñez Rodríguez Íñiguez"),
        "Aceites Peñalba S.L.",
        "Jefa de compras",
        "Logroño",
        "calle de la Montaña",
        "España",
    ),
    Locale(
        "PL",
        _words("Łukasz Małgorzata Zdzisław Bożena Grażyna Michał Żaneta Świętosław Agnieszka Stanisław Jędrzej Róża"),
        _words(
            "Wiśniewski Kowalczyk Dąbrowska Wójcik Zając Król Pawłowski Śliwa Żuraw Gęsicki Łoś Błaszczyk Ćwik Ostróg"
        ),
        "Zakłady Świt sp. z o.o.",
        "Główny księgowy",
        "Łódź",
        "ulica Źródlana",
        "Polska",
    ),
    Locale(
        "CZ",
        _words("Jiří Zdeňka Ondřej Růžena Šárka Vojtěch Ľubica Břetislav Žofie Matěj Klára Otakar"),
        _words(
            "Dvořák Nováčková Příhoda Křížek Šťastný Růžička Řezníček Žižka Čapek Vlček Kučera Štěpánek Jelínek Ježek"
        ),
        "Pivovar U Tří růží",
        "Vedoucí směny",
        "Plzeň",
        "Na Příkopě",
        "Česko",
    ),
    Locale(
        "VN",
        _words("Thị Hồng Văn Đức Ngọc Ánh Quốc Việt Phương Thảo Tuấn Kiệt"),
        _words("Nguyễn Trần Lê Phạm Huỳnh Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý Trịnh"),
        "Công ty Sông Hồng",
        "Trưởng phòng kỹ thuật",
        "Đà Nẵng",
        "đường Trần Phú",
        "Việt Nam",
    ),
    Locale(
        "TR",
        _words("Ayşe Gülşen İbrahim Çağla Özgür Işıl Uğur Şükrü Müge Tuğba Ömer Kıymet"),
        _words("Yılmaz Çelik Öztürk Şahin Güneş Doğan Kılıç Aydın Şimşek Bulut Çakır Özdemir Gündüz Ağaoğlu"),
        "Boğaziçi Çay A.Ş.",
        "Satış müdürü",
        "İzmir",
        "Gül Sokağı",
        "Türkiye",
    ),
    Locale(
        "SE",
        _words("Åsa Björk Göran Märta Sören Östen Håkan Anna-Kjerstin Maj-Britt Jörgen Pär Älva"),
        _words(
            "Åkerström Sjöberg Lindqvist Öberg Hägg Bäckman Nyström Ängström Björklund Dahlström Fröjd Höglund Ståhl"
        ),
        "Fjällräven & Söner AB",
        "Avdelningschef",
        "Malmö",
        "Åsögatan",
        "Sverige",
    ),
    Locale(
        "BG",
        _words("Иван Мария Георги Елена Димитър Йорданка Николай Цветана Пламен Радка Стоян Живка"),
        _words("Иванов Петрова Димитров Стоянова Георгиев Николова Христов Тодорова Кръстев Ангелова Желязков Щерева"),
        "Розова долина ООД",
        "Главен счетоводител",
        "Пловдив",
        "ул. Шипка",
        "България",
    ),
    Locale(
        "UA",
        _words("Олексій Ганна Юрій Їжачка Євген Софія Григорій Ірина Щасливка Ярослав Любов Ґедеон"),
        _words(
            "Шевчук Коваленко Бойчук Ґудзь Їжак Єфремова Щербак Лисенко Мельничук Юрченко Ткачук Цимбал Журба Яцків"
        ),
        "ТОВ «Вишиванка»",
        "Головний інженер",
        "Київ",
        "вулиця Хрещатик",
        "Україна",
    ),
    Locale(
        "GR",
        _words("Γιώργος Ελένη Κωνσταντίνος Άννα Δημήτρης Ιωάννα Νίκος Φωτεινή Σωκράτης Ζωή Αχιλλέας Ροδάνθη"),
        _words(
            "Παπαδόπουλος Γεωργίου Οικονόμου Δημητριάδης Νικολαΐδης Αγγελόπουλος Καραγιάννης Λαμπράκης Μιχαηλίδης Ξένος"
        ),
        "Ελαιώνες Δελφών Α.Ε.",
        "Προϊσταμένη",
        "Θεσσαλονίκη",
        "οδός Ερμού",
        "Ελλάδα",
    ),
    Locale(
        "EG",
        _words("محمد فاطمة أحمد زينب يوسف مريم عمر ليلى خالد نورة إبراهيم سعاد"),
        _words("الحسن المصري البغدادي الشامي القاسم النجار الخطيب الصباغ العطار الحداد الزهراني الرفاعي السيوطي البنا"),
        "شركة وادي النيل",
        "مديرة المبيعات",
        "القاهرة",
        "شارع التحرير",
        "مصر",
    ),
    Locale(
        "IL",
        _words("אברהם שרה יצחק רבקה יעקב רחל משה מרים דוד תמר יונתן נועה"),
        _words("כהן לוי מזרחי פרץ ביטון דהן אברהמי פרידמן אוחיון גבאי שפירא רוזנברג עמר קפלן"),
        "מאפיית הגליל",
        "מנהלת חשבונות",
        "חיפה",
        "רחוב הרצל",
        "ישראל",
    ),
    Locale(
        "IR",
        _words("علی\u200cرضا زهرا حسین پریسا کوروش ژاله گلناز بهرام شیرین فریدون نسرین مهرداد"),
        _words("حسینی رضایی احمدی کریمی موسوی جعفری پورمحمد گلستانی چراغی ژیان یزدانی شیرازی تهرانی اصفهانی"),
        "شرکت فرش پارس",
        "سرپرست فروش",
        "اصفهان",
        "خیابان چهارباغ",
        "ایران",
    ),
    Locale(
        "TW",
        _pairs("雅怡淑志家俊冠宗美佩欣柏", "婷君芬偉豪傑宇翰玲珊瑜翔"),
        _words("陳 林 黃 張 李 王 吳 劉 蔡 楊 許 鄭 謝 郭 洪 邱 曾 廖 賴 徐 周 葉 蘇 莊"),
        "福爾摩沙茶業股份有限公司",
        "業務經理",
        "臺北市",
        "中山北路",
        "臺灣",
        spaced=False,
    ),
    Locale(
        "JP",
        _pairs("美優陽健翔結大拓彩千真直", "子太郎菜介奈斗香樹人也希"),
        _words("佐藤 鈴木 髙橋 田中 渡邊 伊藤 山本 中村 小林 加藤 吉田 齋藤 松本 井上 木村 清水 山﨑 森田 阿部 池田"),
        "株式会社さくら堂",
        "営業部長",
        "千代田区",
        "丸の内",
        "日本",
        spaced=False,
    ),
    Locale(
        "KR",
        _pairs("민서지도하예준수현은영성", "준연우윤아호진희경빈석혜"),
        _words("김 이 박 최 정 강 조 윤 장 임 한 오 서 신 권 황 안 송 류 홍"),
        "한강식품 주식회사",
        "기획팀장",
        "서울특별시",
        "세종대로",
        "대한민국",
        spaced=False,
    ),
    Locale(
        "IN",
        _words("अमित प्रिया राजेश सुनीता विक्रम लक्ष्मी अर्जुन कृष्णा श्रेया संजय ज्योति हर्ष"),
        _words("शर्मा वर्मा गुप्ता मिश्रा त्रिपाठी यादव श्रीवास्तव चौधरी अग्रवाल पाण्डेय द्विवेदी सिंह जोशी भट्ट"),
        "हिमालय मसाले प्रा. लि.",
        "लेखा प्रबंधक",
        "दिल्ली",
        "महात्मा गांधी मार्ग",
        "भारत",
    ),
    Locale(
        "TH",
        _words("สมชาย สมหญิง ณัฐพล กัญญา ธีรศักดิ์ พิมพ์ชนก วีระ นิภา อรุณ จิราพร ก้องเกียรติ ปิยะ"),
        _words("ศรีสุข ใจดี แก้วมณี วงศ์สวัสดิ์ บุญมี ทองคำ พงษ์ไพร รัตนชัย สุวรรณ จันทร์เพ็ญ เจริญสุข อินทรีย์ มั่นคง"),
        "บริษัท ช้างเผือก จำกัด",
        "ผู้จัดการฝ่ายบัญชี",
        "เชียงใหม่",
        "ถนนนิมมานเหมินท์",
        "ประเทศไทย",
    ),
    Locale(
        "GE",
        _words("გიორგი ნინო დავით თამარ ლევან მარიამ ირაკლი ქეთევან ვახტანგ ეკატერინე ზურაბ ლელა"),
        _words("ბერიძე კაპანაძე გელაშვილი მაისურაძე გიორგაძე ლომიძე წიკლაური ქავთარაძე ჯაფარიძე შენგელია"),
        "კახეთის მარანი",
        "მთავარი ბუღალტერი",
        "თბილისი",
        "რუსთაველის გამზირი",
        "საქართველო",
    ),
    Locale(
        "AM",
        _words("Արամ Անահիտ Տիգրան Նարե Գևորգ Լուսինե Հայկ Սոնա Վահագն Մարիամ Դավիթ Արփինե"),
        _words("Հակոբյան Պետրոսյան Սարգսյան Գրիգորյան Հարությունյան Մկրտչյան Ղազարյան Ավագյան Չոբանյան Եղիազարյան"),
        "Արարատ Կոնյակ ՓԲԸ",
        "Գլխավոր հաշվապահ",
        "Երևան",
        "Աբովյան փողոց",
        "Հայաստան",
    ),
    Locale(
        "US",
        _words("Seán Saoirse DeShawn Zoë Aaliyah Niamh O'Shea Mary-Ann Håkon Renée Dwayne Malia"),
        _words("O'Brien MacGregor Smith-Jones Washington D'Angelo Kealoha Begay St.John Fitzgerald Nuñez Vang Okafor"),
        "Bits & Pieces, Inc.",
        "Vice President, R&D",
        "Cañon City",
        "O'Malley Street",
        "United States",
    ),
)
"""Latin with diacritics, Cyrillic, Greek, Arabic, Hebrew, CJK, Hangul, Devanagari, Thai, Georgian, Armenian."""
