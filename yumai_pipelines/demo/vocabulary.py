"""The words of the demonstration: places, dishes, names, and what people and the chatbot say. Only data, no logic.

Districts, stations and coordinates are those of Seoul. Shops, people and what they say are made up. `<word>` in a
sentence is a slot, filled from the row. A slot that takes any word is placed where no Korean particle depends on how
the word ends.
"""

from __future__ import annotations

from dataclasses import dataclass

SLOT_NAMES = ("food", "place", "budget", "people")
"""What a question can mention. `extracted_entities` then holds it."""


@dataclass(frozen=True)
class District:
    """One of Seoul's 25 districts.

    Attributes:
        name: name of the district.
        hub: the station or quarter where people go to eat, by its common name.
        latitude: of the hub, degrees north.
        longitude: of the hub, degrees east.
        quarters: two quarters (동) around the hub.
        bustle: share of shops and visits, relative to the other districts.
    """

    name: str
    hub: str
    latitude: float
    longitude: float
    quarters: tuple[str, str]
    bustle: float


DISTRICTS = (
    District("종로구", "종로3가", 37.5704, 126.9921, ("관철동", "명륜동"), 1.3),
    District("중구", "명동", 37.5609, 126.9863, ("명동2가", "을지로3가"), 1.4),
    District("용산구", "이태원", 37.5345, 126.9946, ("이태원동", "한남동"), 1.1),
    District("성동구", "성수", 37.5446, 127.0559, ("성수동2가", "행당동"), 1.3),
    District("광진구", "건대입구", 37.5404, 127.0692, ("화양동", "구의동"), 1.3),
    District("동대문구", "회기", 37.5898, 127.0579, ("회기동", "전농동"), 0.8),
    District("중랑구", "상봉", 37.5966, 127.0857, ("상봉동", "면목동"), 0.6),
    District("성북구", "성신여대입구", 37.5927, 127.0165, ("동선동", "안암동"), 0.8),
    District("강북구", "수유", 37.6380, 127.0257, ("수유동", "미아동"), 0.7),
    District("도봉구", "창동", 37.6531, 127.0477, ("창동", "쌍문동"), 0.5),
    District("노원구", "노원", 37.6552, 127.0614, ("상계동", "공릉동"), 0.9),
    District("은평구", "연신내", 37.6190, 126.9211, ("갈현동", "불광동"), 0.7),
    District("서대문구", "신촌", 37.5552, 126.9369, ("창천동", "연희동"), 1.1),
    District("마포구", "홍대입구", 37.5572, 126.9245, ("서교동", "합정동"), 1.7),
    District("양천구", "목동", 37.5262, 126.8644, ("목동", "신정동"), 0.7),
    District("강서구", "발산", 37.5586, 126.8378, ("마곡동", "화곡동"), 0.9),
    District("구로구", "신도림", 37.5089, 126.8913, ("신도림동", "구로동"), 0.8),
    District("금천구", "가산디지털단지", 37.4816, 126.8827, ("가산동", "독산동"), 0.7),
    District("영등포구", "여의도", 37.5216, 126.9243, ("여의도동", "당산동"), 1.2),
    District("동작구", "노량진", 37.5142, 126.9425, ("노량진동", "사당동"), 0.8),
    District("관악구", "신림", 37.4842, 126.9297, ("신림동", "봉천동"), 1.0),
    District("서초구", "고속터미널", 37.5049, 127.0049, ("반포동", "서초동"), 1.2),
    District("강남구", "강남역", 37.4979, 127.0276, ("역삼동", "논현동"), 1.9),
    District("송파구", "잠실", 37.5133, 127.1001, ("잠실동", "방이동"), 1.3),
    District("강동구", "천호", 37.5386, 127.1237, ("천호동", "길동"), 0.8),
)


@dataclass(frozen=True)
class Dish:
    """A dish on a menu: its name, its usual price in won, and its category on the menu."""

    name: str
    price: int
    category: str = "메인메뉴"


@dataclass(frozen=True)
class Cuisine:
    """One of the 13 categories of shops.

    Attributes:
        category: as `chatbot.shops` spells it.
        supply: share of the shops, relative to the other categories.
        appetite: share of the requests.
        signs: second parts of shop names; the first part is the place.
        words: how people ask for this food.
        dishes: what such shops serve.
    """

    category: str
    supply: float
    appetite: float
    signs: tuple[str, ...]
    words: tuple[str, ...]
    dishes: tuple[Dish, ...]


def _dishes(main: str, others: str = "") -> tuple[Dish, ...]:
    """Read main dishes from `이름 가격, 이름 가격`, and others from `분류: 이름 가격, …; 분류: …`."""

    def read(text: str, category: str) -> list[Dish]:
        pairs = (entry.strip().rpartition(" ") for entry in text.split(","))
        return [Dish(name, int(price), category) for name, _, price in pairs]

    dishes = read(main, "메인메뉴")
    for group in filter(None, others.split(";")):
        category, _, entries = group.strip().partition(": ")
        dishes += read(entries, category)
    return tuple(dishes)


CUISINES = (
    Cuisine(
        "한식",
        3.0,
        3.0,
        ("할매국밥", "집밥", "순두부집", "보쌈", "백반", "감자탕", "곰탕", "쌈밥정식"),
        ("한식", "국밥", "김치찌개", "백반", "집밥"),
        _dishes(
            "김치찌개 8000, 된장찌개 8000, 제육볶음 9000, 순두부찌개 8500, 비빔밥 8500, 갈비탕 13000, 돼지국밥 9000, "
            "불고기정식 12000",
            "사이드메뉴: 계란말이 6000, 공깃밥 1000; 음료: 식혜 2500",
        ),
    ),
    Cuisine(
        "중식",
        1.2,
        1.3,
        ("반점", "짬뽕", "만리장성", "마라탕", "손짜장", "양꼬치"),
        ("중식", "짜장면", "짬뽕", "마라탕", "탕수육"),
        _dishes(
            "짜장면 6500, 짬뽕 8000, 볶음밥 8000, 마라탕 11000, 잡채밥 9000, 마파두부밥 9500",
            "세트메뉴: 짜장 탕수육 세트 16000; 사이드메뉴: 군만두 5000, 미니 탕수육 9000",
        ),
    ),
    Cuisine(
        "일식",
        1.2,
        1.4,
        ("스시", "돈카츠", "라멘", "우동", "이자카야", "규동"),
        ("일식", "초밥", "돈까스", "라멘", "우동"),
        _dishes(
            "등심돈카츠 10000, 치즈돈카츠 11500, 돈코츠라멘 9500, 연어덮밥 13000, 규동 8500, 냉우동 8000",
            "세트메뉴: 모둠초밥 세트 15000; 사이드메뉴: 새우튀김 5000, 가라아게 6000",
        ),
    ),
    Cuisine(
        "양식",
        1.1,
        1.1,
        ("파스타", "스테이크하우스", "비스트로", "키친", "브런치", "리조또"),
        ("양식", "파스타", "스테이크", "리조또"),
        _dishes(
            "토마토파스타 11000, 봉골레파스타 13500, 크림리조또 13000, 함박스테이크 14000, 알리오올리오 11000",
            "세트메뉴: 파스타 샐러드 세트 17000; 사이드메뉴: 시저샐러드 8000, 마늘빵 4000; 음료: 레몬에이드 4500",
        ),
    ),
    Cuisine(
        "치킨",
        1.3,
        1.7,
        ("옛날통닭", "치킨", "닭강정", "숯불치킨", "두마리치킨"),
        ("치킨", "후라이드", "양념치킨", "치맥", "닭강정"),
        _dishes(
            "후라이드치킨 18000, 양념치킨 19000, 간장치킨 19000, 반반치킨 19500, 순살치킨 20000",
            "세트메뉴: 1인 치킨 세트 11000; 사이드메뉴: 치즈볼 5000, 감자튀김 4000; 음료: 콜라 2000",
        ),
    ),
    Cuisine(
        "피자",
        0.9,
        1.0,
        ("화덕피자", "피자", "피자공방", "나폴리피자"),
        ("피자", "화덕피자", "조각피자"),
        _dishes(
            "페퍼로니피자 16000, 고구마피자 19000, 포테이토피자 18500, 마르게리타 17000, 불고기피자 19000",
            "세트메뉴: 1인 피자 세트 9900; 사이드메뉴: 치즈오븐스파게티 7000, 핫윙 6500; 음료: 사이다 2000",
        ),
    ),
    Cuisine(
        "패스트푸드",
        1.0,
        1.2,
        ("수제버거", "버거", "핫도그", "샌드위치"),
        ("햄버거", "버거", "샌드위치", "핫도그"),
        _dishes(
            "치즈버거 5500, 불고기버거 4500, 치킨버거 5800, 더블버거 7900, 에그샌드위치 4800",
            "세트메뉴: 불고기버거 세트 6800, 치즈버거 세트 7900; 사이드메뉴: 감자튀김 2500; 음료: 콜라 1900",
        ),
    ),
    Cuisine(
        "분식",
        1.6,
        2.0,
        ("떡볶이", "분식", "김밥", "라볶이", "즉석떡볶이"),
        ("분식", "떡볶이", "김밥", "라면", "순대"),
        _dishes(
            "떡볶이 4500, 라볶이 6000, 참치김밥 4500, 치즈김밥 4500, 라면 4000, 쫄면 6500, 돈까스 8500",
            "세트메뉴: 떡볶이 튀김 세트 8500; 사이드메뉴: 순대 4500, 모둠튀김 4500, 어묵 3000",
        ),
    ),
    Cuisine(
        "카페/디저트",
        1.8,
        1.1,
        ("커피", "베이커리", "디저트", "와플", "빙수", "찻집"),
        ("카페", "디저트", "케이크", "빙수", "빵"),
        _dishes(
            "잠봉뵈르 8500, 크로플 6500, 햄치즈토스트 5500",
            "음료: 아메리카노 4000, 카페라떼 4800, 유자차 5000, 딸기스무디 6000; "
            "디저트: 팥빙수 9500, 치즈케이크 6500, 소금빵 3200, 마카롱 2800",
        ),
    ),
    Cuisine(
        "도시락/죽",
        0.9,
        1.2,
        ("도시락", "죽", "한입도시락", "전복죽"),
        ("도시락", "죽", "덮밥"),
        _dishes(
            "제육도시락 6500, 치킨마요덮밥 5500, 돈까스도시락 6900, 전복죽 11000, 야채죽 8000, 호박죽 8000, "
            "불고기도시락 7500",
            "사이드메뉴: 미니국 1500, 장조림 3000; 음료: 보리차 1000",
        ),
    ),
    Cuisine(
        "프랜차이즈",
        1.0,
        0.7,
        ("국수나라", "밥상", "덮밥나라", "쌀국수", "찜닭"),
        ("쌀국수", "찜닭", "덮밥", "국수"),
        _dishes(
            "소고기쌀국수 9500, 안동찜닭 13000, 잔치국수 6000, 비빔국수 6500, 소고기덮밥 8900, 치즈찜닭 14000",
            "세트메뉴: 국수 만두 세트 9500; 사이드메뉴: 왕만두 5000, 짜조 4500",
        ),
    ),
    Cuisine(
        "기타음식",
        0.8,
        0.6,
        ("커리", "케밥", "타코", "샐러드", "쌈", "포케"),
        ("카레", "샐러드", "타코", "포케", "케밥"),
        _dishes(
            "치킨커리 10500, 버터치킨커리 11500, 양고기케밥 9000, 비프타코 9500, 연어포케 12500, 닭가슴살샐러드 9500",
            "사이드메뉴: 난 2500, 나초 5000; 음료: 망고라씨 4500",
        ),
    ),
    Cuisine(
        "편의점",
        1.2,
        1.2,
        ("편의점", "24시편의점", "행복마트", "동네슈퍼"),
        ("편의점", "삼각김밥", "컵라면", "편의점 도시락"),
        _dishes(
            "편의점도시락 4900, 삼각김밥 1300, 컵라면 1500, 샌드위치 3200, 김밥 2800",
            "사이드메뉴: 핫바 2200, 구운계란 1800; 음료: 바나나우유 1700, 생수 950; 디저트: 초코빵 1500",
        ),
    ),
)

SURNAMES = (
    ("김", 21.5),
    ("이", 14.7),
    ("박", 8.4),
    ("최", 4.7),
    ("정", 4.3),
    ("강", 2.4),
    ("조", 2.1),
    ("윤", 2.1),
    ("장", 2.0),
    ("임", 1.7),
    ("한", 1.5),
    ("오", 1.5),
    ("서", 1.5),
    ("신", 1.5),
    ("권", 1.4),
    ("황", 1.4),
)
"""Surnames, with their shares in percent."""

GIVEN_NAMES = (
    "민준",
    "서준",
    "도윤",
    "예준",
    "시우",
    "하준",
    "지호",
    "준서",
    "건우",
    "현우",
    "우진",
    "선우",
    "서연",
    "서윤",
    "지우",
    "서현",
    "하은",
    "하윤",
    "민서",
    "지유",
    "윤서",
    "채원",
    "수아",
    "지아",
    "은서",
    "다은",
    "영수",
    "정숙",
    "영희",
    "미경",
    "성호",
    "지훈",
    "동현",
    "혜진",
    "은주",
    "수빈",
    "유진",
    "지은",
    "태현",
    "승민",
)

NICKNAME_STARTS = ("배고픈", "행복한", "졸린", "신나는", "느긋한", "부지런한", "용감한", "수줍은", "든든한", "동네")
NICKNAME_ENDS = (
    "고양이",
    "다람쥐",
    "펭귄",
    "떡볶이",
    "김밥",
    "호랑이",
    "감자",
    "여우",
    "만두",
    "판다",
    "토끼",
    "미식가",
)

SHOP_TITLES = ("", "원조 ", "우리 ", "엄마손 ", "착한 ", "정든 ", "오늘 ", "골목 ", "행복한 ", "큰손 ")


@dataclass(frozen=True)
class Device:
    """What a session is held from: kind of device, operating system, and user agent."""

    kind: str
    system: str
    user_agent: str


_PHONE = (
    "Mozilla/5.0 (Linux; Android {0}; {1}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{2}.0.0.0 Mobile Safari/537.36"
)
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS {0} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{1} "
    "Mobile/15E148 Safari/604.1"
)

PHONES = (
    Device("mobile", "Android 14", _PHONE.format(14, "SM-S921N", 126)),
    Device("mobile", "Android 13", _PHONE.format(13, "SM-A546S", 124)),
    Device("mobile", "Android 15", _PHONE.format(15, "SM-S931N", 131)),
    Device("mobile", "iOS 17", _IPHONE.format("17_5", "17.5")),
    Device("mobile", "iOS 18", _IPHONE.format("18_1", "18.1")),
    Device("tablet", "Android 13", _PHONE.format(13, "SM-X200", 124)),
)
COMPUTERS = (
    Device(
        "desktop",
        "Windows 11",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 "
        "Safari/537.36",
    ),
    Device(
        "desktop",
        "macOS 14",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Safari/605.1.15",
    ),
)


@dataclass(frozen=True)
class Intent:
    """What a user can want.

    Attributes:
        name: as `chatbot.conversations` spells it.
        opening: share of the first turns of sessions, relative to the other intents.
        recommends: probability that the answer recommends shops, 0 to 1.
        exchanges: what users say, each with the answer when nothing is recommended.
        offers: answers that recommend something; `<shop>` is the first shop of the list.
    """

    name: str
    opening: float
    recommends: float
    exchanges: tuple[tuple[str, str], ...]
    offers: tuple[str, ...] = ("<place> 근처에서는 '<shop>' 어떠세요?", "'<shop>' 추천드려요. <dish> <price>원!")


INTENTS = (
    Intent(
        "FOOD_REQUEST",
        opening=5.0,
        recommends=0.6,
        exchanges=(
            ("<place> 근처 <food> 추천해줘", "예산은 어느 정도 생각하세요?"),
            ("오늘 <food> 먹고 싶어", "어느 동네에서 찾으세요?"),
            ("<food> 맛있는 데 어디야?", "어느 동네에서 찾을까요?"),
            ("배고파 뭐 먹지?", "한식, 분식, 중식 중에 어떤 게 끌리세요?"),
            ("<place> <food> 맛집 알려줘", "몇 분이 드실 거예요?"),
            ("<budget>원으로 <food> 먹을 수 있는 곳?", "조금 더 넓은 지역에서 찾아볼까요?"),
            ("점심으로 <food> 어때?", "좋아요! 어디에서 드실 거예요?"),
            ("<place>에서 혼밥하기 좋은 곳 있어?", "혼밥 좋아요! 어떤 음식이 좋으세요?"),
            ("<food> 땡긴다 ㅎㅎ", "저도요! 지금 어디 계세요?"),
            ("뭔가 따뜻한 거 먹고 싶은데", "국물 있는 음식은 어떠세요?"),
        ),
        offers=(
            "<place> 근처 맛집으로 '<shop>' 추천드려요!",
            "'<shop>' 어떠세요? <dish> <price>원이에요.",
            "이럴 때는 '<shop>' 좋아요. <place>에서 가까워요.",
            "오늘은 '<shop>' 가보세요. 후기가 좋아요.",
        ),
    ),
    Intent(
        "BUDGET_INQUIRY",
        opening=1.2,
        recommends=0.5,
        exchanges=(
            ("<budget>원 이하로 먹을 수 있는 곳 있어?", "<budget>원이면 선택지가 꽤 있어요! 어느 동네예요?"),
            ("<budget>원밖에 없는데 뭐 먹지", "<budget>원 안에서 든든한 메뉴를 찾아볼게요."),
            ("<place>에서 제일 저렴한 <food> 어디야?", "예산을 알려주시면 맞는 곳을 찾아드릴게요."),
            ("가성비 좋은 <food> 추천해줘", "한 분에 얼마 정도 생각하세요?"),
            ("<people>명이 <budget>원으로 먹을 수 있을까?", "세트 메뉴를 나눠 드시면 가능해요."),
        ),
        offers=("<budget>원 안에서는 '<shop>' 좋아요. <dish> <price>원!", "가성비라면 '<shop>' 추천해요."),
    ),
    Intent(
        "COUPON_INQUIRY",
        opening=0.7,
        recommends=0.05,
        exchanges=(
            ("쓸 수 있는 쿠폰 있어?", "지금 쓸 수 있는 쿠폰이 있어요. 주문할 때 자동으로 적용해 드릴게요."),
            ("쿠폰 어떻게 써?", "주문 화면에서 쿠폰을 고르시면 돼요."),
            ("<food> 할인 쿠폰 줘", "쿠폰함에 새 쿠폰을 넣어드렸어요!"),
            ("첫 주문 할인 되나요?", "네, 첫 주문은 2000원 할인돼요."),
            ("내 쿠폰함 보여줘", "쿠폰함을 열어드릴게요."),
        ),
    ),
    Intent(
        "LOCATION_INQUIRY",
        opening=1.0,
        recommends=0.3,
        exchanges=(
            ("<place>에서 가까운 <food> 어디 있어?", "현재 위치를 알려주시면 가까운 순서로 찾아드려요."),
            ("여기서 얼마나 걸려?", "걸어서 7분 정도 걸려요."),
            ("<place>에서 걸어갈 수 있어?", "네, 출구에서 걸어서 5분 거리예요."),
            ("위치 알려줘", "지도를 보내드릴게요."),
            ("<place> 말고 다른 동네는?", "어느 동네가 편하세요?"),
        ),
        offers=("<place>에서 제일 가까운 곳은 '<shop>' 입니다.", "'<shop>' 까지는 걸어서 금방이에요."),
    ),
    Intent(
        "TIME_INQUIRY",
        opening=0.6,
        recommends=0.1,
        exchanges=(
            ("지금 문 연 데 있어?", "네, 지금 영업 중인 곳이 여러 군데 있어요!"),
            ("몇 시까지 해?", "오늘은 밤 9시까지 영업해요."),
            ("브레이크 타임 있어?", "3시부터 5시까지 브레이크 타임이에요."),
            ("일요일에도 영업해?", "일요일은 쉬는 날이에요."),
            ("늦은 밤에 <food> 되는 곳?", "밤 10시 이후에는 문 연 곳이 적어요. 찾아볼게요."),
        ),
    ),
    Intent(
        "GENERAL_CHAT",
        opening=3.0,
        recommends=0.02,
        exchanges=(
            ("안녕하세요", "안녕하세요! 오늘은 뭐 드시고 싶으세요?"),
            ("안녕 유마이", "반가워요, 유마이예요."),
            ("고마워!", "천만에요. 맛있게 드세요!"),
            ("오늘 날씨 좋다", "이런 날에는 산책하고 <food> 어떠세요?"),
            ("ㅋㅋㅋ", "기분 좋으신가 봐요!"),
            ("심심해", "맛집 구경하러 가실래요?"),
            ("넌 뭐 좋아해?", "저는 사람들이 맛있게 먹는 게 제일 좋아요."),
            ("잘 먹었어", "맛있게 드셨다니 저도 기뻐요!"),
        ),
    ),
    Intent(
        "MENU_OPTION",
        opening=0.5,
        recommends=0.15,
        exchanges=(
            ("거기 <food> 말고 다른 메뉴도 있어?", "<dish> <price>원도 인기가 많아요."),
            ("안 매운 걸로 있어?", "맵기는 세 단계 중에 고를 수 있어요."),
            ("채식 메뉴 있어?", "고기를 뺀 메뉴가 있는지 확인해 볼게요."),
            ("양 많은 곳이 좋아", "곱빼기가 되는 곳으로 찾아볼게요."),
            ("곱빼기 되나?", "1000원을 더 내시면 곱빼기로 드려요."),
            ("땅콩 알레르기 있는데 괜찮아?", "재료는 매장에 한 번 더 확인해 주세요."),
        ),
    ),
    Intent(
        "EMERGENCY_FOOD",
        opening=0.3,
        recommends=0.8,
        exchanges=(
            ("하루 종일 아무것도 못 먹었어", "괜찮으세요? 가까운 선한영향력가게를 찾아볼게요."),
            ("지금 당장 먹을 수 있는 데 있어?", "지금 계신 곳을 알려주세요. 바로 찾아볼게요."),
            ("돈이 없는데 배가 너무 고파", "걱정 마세요. 1388로 전화하셔도 도움을 받을 수 있어요."),
            ("급식카드 되는 곳 급해요", "지금 계신 동네를 알려주세요."),
        ),
        offers=(
            "바로 드실 수 있는 '<shop>' 추천드려요. 급식카드도 돼요.",
            "걱정 마세요. '<shop>' 에서 식사하실 수 있어요.",
        ),
    ),
    Intent(
        "GROUP_DINING",
        opening=0.6,
        recommends=0.6,
        exchanges=(
            ("<people>명이서 갈 만한 <food> 있어?", "<people>명이면 예약하고 가시는 게 좋아요."),
            ("<place>에서 <people>명 모임 장소 추천해줘", "어떤 음식을 좋아하세요?"),
            ("가족 외식하기 좋은 곳?", "몇 분이 가시는지 알려주세요."),
            ("친구들이랑 <food> 먹을 건데", "좋아요! 몇 명이에요?"),
            ("<people>명 단체 예약 되는 곳", "날짜와 시간을 알려주세요."),
        ),
        offers=("여럿이 가신다면 자리가 넓은 '<shop>' 좋아요.", "단체로는 '<shop>' 추천드려요. <dish> 나눠 드세요."),
    ),
    Intent(
        "BALANCE_CHECK",
        opening=0.7,
        recommends=0.0,
        exchanges=(
            ("급식카드 잔액 얼마야?", "급식카드 잔액은 <balance>원이에요."),
            ("잔액 알려줘", "지금 <balance>원 남았어요."),
            ("이번 달에 얼마 썼어?", "이번 달에 쓸 수 있는 금액은 <balance>원 남았어요."),
            ("카드에 <budget>원 남았나?", "확인해 보니 <balance>원 남아 있어요."),
        ),
    ),
    Intent(
        "BALANCE_CHARGE",
        opening=0.3,
        recommends=0.0,
        exchanges=(
            ("카드 충전은 언제 돼?", "급식카드는 매달 1일에 충전돼요."),
            ("잔액 충전해줘", "충전은 주민센터에서 신청할 수 있어요. 지금 잔액은 <balance>원이에요."),
            ("급식카드 충전하는 법", "주민센터나 복지로에서 신청하시면 돼요."),
            ("다음 달 충전일 알려줘", "다음 달 1일이에요. 충전되면 알려드릴게요."),
        ),
    ),
    Intent(
        "UNKNOWN",
        opening=0.6,
        recommends=0.0,
        exchanges=(
            ("ㅁㄴㅇㄹ", "죄송해요, 잘 이해하지 못했어요."),
            ("음...", "천천히 말씀해 주세요."),
            ("그거 있잖아", "음식이나 동네 이름을 알려주시면 도와드릴게요."),
            ("??", "다시 한번 말씀해 주시겠어요?"),
            ("아 몰라", "그럼 제가 골라드릴까요?"),
            ("asdf", "죄송해요, 잘 이해하지 못했어요."),
        ),
    ),
)

FOLLOW_UPS: dict[str, dict[str, float]] = {
    "FOOD_REQUEST": {
        "FOOD_REQUEST": 2.0,
        "BUDGET_INQUIRY": 1.5,
        "LOCATION_INQUIRY": 2.0,
        "TIME_INQUIRY": 1.5,
        "MENU_OPTION": 2.0,
        "COUPON_INQUIRY": 1.0,
        "GENERAL_CHAT": 1.5,
    },
    "GENERAL_CHAT": {"FOOD_REQUEST": 5.0, "GENERAL_CHAT": 1.5, "BALANCE_CHECK": 0.6, "GROUP_DINING": 0.5},
    "BALANCE_CHECK": {"BALANCE_CHARGE": 2.5, "FOOD_REQUEST": 2.5, "BUDGET_INQUIRY": 2.0},
    "EMERGENCY_FOOD": {"LOCATION_INQUIRY": 3.0, "BALANCE_CHECK": 1.0, "GENERAL_CHAT": 1.5},
    "GROUP_DINING": {"TIME_INQUIRY": 2.0, "MENU_OPTION": 2.0, "LOCATION_INQUIRY": 2.0, "BUDGET_INQUIRY": 1.5},
}
"""Which intents follow an intent, with weights. Every other intent can follow too, with a small weight."""

STRATEGIES = ("onboarding_mode", "data_building_mode", "normal_mode", "urgent_mode")

REASONS = (
    "거리가 가까워요",
    "최근 인기가 많아요",
    "평점이 높아요",
    "예산에 잘 맞아요",
    "좋아하시는 메뉴예요",
    "급식카드를 쓸 수 있어요",
    "선한영향력가게예요",
    "지금 영업 중이에요",
)

PRAISE = (
    "진짜 맛있었어요!",
    "추천 덕분에 잘 먹었습니다",
    "가격도 좋고 양도 많아요",
    "사장님이 친절하세요",
    "다음에 또 갈게요",
    "아이가 좋아했어요",
    "혼자 먹기 편했어요",
)
INDIFFERENCE = ("그냥 무난했어요", "나쁘지 않아요", "보통이에요", "사람이 많아서 좀 기다렸어요")
CRITICISM = (
    "너무 멀어요",
    "생각보다 비싸요",
    "문이 닫혀 있었어요",
    "제가 원한 메뉴가 아니에요",
    "맛이 별로였어요",
    "급식카드가 안 된대요",
)
COMPLAINTS = (
    "추천이 계속 똑같아요",
    "대답이 너무 느려요",
    "영업시간이 틀렸어요",
    "없어진 가게를 추천해요",
    "쿠폰이 적용되지 않아요",
)
SENTIMENTS = (("positive", PRAISE), ("neutral", INDIFFERENCE), ("negative", CRITICISM))

SHARE_CHANNELS = ("kakao", "link", "line")
SELECTION_SOURCES = ("tap", "voice", "text")

TASTES = ("spicy", "sweet", "salty", "light")
COMPANIONS = ("혼자", "친구", "가족", "연인", "동료")
CONVERSATION_STYLES = ("친근한", "간결한", "정중한", "수다스러운")
MEAL_TIMES = ("아침", "점심", "저녁", "야식")
