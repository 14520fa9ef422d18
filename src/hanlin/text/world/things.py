"""The things of the toy world: their words, their colours, and what can be done with them.

A line holds the Chinese noun, its measure word, a colour group, the traits and the English noun.
A colour with a dash is the natural one, which stories do not mention.
Every thing can be big or small; those of the trait `many` come in numbers. In the English column
`_` is a space, `~` marks where an adjective goes when it is not at the front, and `/` parts an
irregular plural from its singular.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from hanlin.text.world.entities import Thing

__all__ = ["THINGS"]

_PAINTED = ("red", "blue", "green", "yellow", "white", "black", "purple", "pink")
_COLOUR_GROUPS: dict[str, tuple[str, ...]] = {
    "any": _PAINTED,
    "fruit": ("red", "green", "yellow"),
    "flower": ("red", "yellow", "white", "purple", "pink"),
    "metal": ("gold", "silver", "black"),
    "pale": ("white", "yellow"),
    "dark": ("black", "white"),
}

_TABLE = """
苹果    个 fruit   food,many                         apple
梨      个 fruit   food,many                         pear
桃子    个 fruit   food,many                         peach
香蕉    根 fruit   food,many                         banana
橘子    个 -yellow food,many                         orange
西瓜    个 -green  food,shared                       watermelon
葡萄    串 fruit   food,shared                       bunch_of_~grapes/bunches_of_~grapes
草莓    颗 -red    food,many                         strawberry
樱桃    颗 fruit   food,many                         cherry
柠檬    个 -yellow food,many                         lemon
芒果    个 fruit   food,many                         mango
菠萝    个 -yellow food,shared                       pineapple
面包    个 pale    food,shared                       loaf_of_~bread/loaves_of_~bread
蛋糕    个 flower  food,shared,gift                  cake
饼干    块 -yellow food,many,shared                  biscuit
月饼    个 -yellow food,many,shared                  mooncake
糖果    颗 fruit   food,many,gift                    sweet
巧克力  块 dark    food,shared,gift                  bar_of_~chocolate/bars_of_~chocolate
冰淇淋  个 flower  food                              ice_cream
鸡蛋    个 pale    food,many,ingredient              egg
玉米    根 -yellow food,many,ingredient              corncob
土豆    个 -yellow many,ingredient                   potato/potatoes
胡萝卜  根 -red    food,many,ingredient              carrot
番茄    个 fruit   food,many,ingredient              tomato/tomatoes
黄瓜    根 -green  food,many,ingredient              cucumber
南瓜    个 -yellow many,ingredient                   pumpkin
白菜    棵 -green  ingredient                        cabbage
蘑菇    个 dark    many,ingredient                   mushroom
豆腐    块 -white  food,ingredient                   block_of_~tofu/blocks_of_~tofu
米饭    碗 -white  food,dish                         bowl_of_~rice/bowls_of_~rice
面条    碗 -yellow food,dish,shared                  bowl_of_~noodles/bowls_of_~noodles
饺子    盘 -white  food,dish,shared                  plate_of_~dumplings/plates_of_~dumplings
包子    个 -white  food,dish,many,shared             bun
馅饼    个 -yellow food,dish,shared                  pie
披萨    个 -red    food,dish,shared                  pizza
牛奶    杯 -white  drink                             glass_of_~milk/glasses_of_~milk
果汁    杯 fruit   drink                             glass_of_~juice/glasses_of_~juice
豆浆    杯 -white  drink                             cup_of_~soy_milk/cups_of_~soy_milk
热茶    杯 -green  drink                             cup_of_~tea/cups_of_~tea
可乐    瓶 -black  drink                             bottle_of_~cola/bottles_of_~cola
箱子    个 any     container                         trunk
盒子    个 any     container                         box
书包    个 any     container                         schoolbag
篮子    个 any     container                         basket
罐子    个 any     container                         jar
背包    个 any     container                         backpack
抽屉    个 any     container,fixed                   drawer
柜子    个 any     container,fixed                   cupboard
宝箱    个 metal   container,fixed,lockable          treasure_chest
铁盒    个 any     container,lockable                iron_box
木箱    个 -yellow container,fixed,lockable          wooden_case
衣柜    个 any     container,fixed,lockable          wardrobe
课本    本 any     book                              textbook
故事书  本 any     book,gift                         storybook
杂志    本 any     book                              magazine
报纸    张 -white  book                              newspaper
字典    本 any     book                              dictionary
漫画    本 -blue   book,gift                         comic
诗集    本 any     book,gift                         book_of_~poems/books_of_~poems
地图    张 -yellow map                               map
皮球    个 any     toy,ball,gift,soils,breaks        ball
足球    个 any     toy,ball,gift,soils               football
篮球    个 any     toy,ball,gift,soils               basketball
排球    个 any     toy,ball,gift,soils               volleyball
飞盘    个 any     toy,ball,gift                     frisbee
气球    个 any     toy,many,gift                     balloon
风筝    个 any     toy,gift,breaks,product,wets      kite
娃娃    个 any     toy,gift,breaks,product,soils,wets doll
积木    块 any     toy,many                          toy_brick
拼图    副 any     toy,gift                          puzzle
魔方    个 -red    toy,gift,breaks                   magic_cube
陀螺    个 any     toy,gift,breaks,product           spinning_top
毽子    个 flower  toy,gift,product                  shuttlecock
跳绳    根 any     toy,gift                          skipping_rope
玩具车  辆 any     toy,gift,breaks,soils,product     toy_car
玩具船  艘 any     toy,gift,breaks,product           toy_boat
玩具熊  个 any     toy,gift,soils,wets               toy_bear
木马    个 any     toy,breaks,product,gift           wooden_horse
木偶    个 any     toy,gift,breaks,product           puppet
滑板    个 any     vehicle,breaks,soils              skateboard
自行车  辆 any     vehicle,breaks,soils              bicycle
三轮车  辆 any     vehicle,breaks,soils              tricycle
雪橇    个 any     vehicle,breaks,product            sledge
笛子    支 dark    instrument,gift                   flute
口琴    个 metal   instrument,gift,breaks            mouth_organ
二胡    把 -black  instrument,breaks                 erhu
吉他    把 any     instrument,gift,breaks            guitar
小提琴  把 dark    instrument,gift,breaks            violin
喇叭    个 metal   instrument,breaks                 trumpet
古筝    架 -black  instrument,breaks                 zither
手鼓    个 any     instrument,gift,breaks,product    drum
外套    件 any     clothes,warm,gift,soils,wets      coat
毛衣    件 any     clothes,warm,gift,soils,wets      jumper
衬衫    件 any     clothes,gift,soils,wets           shirt
裙子    条 any     clothes,gift,soils,wets           skirt
裤子    条 any     clothes,soils,wets                pair_of_~trousers/pairs_of_~trousers
鞋子    双 any     clothes,gift,soils,wets           pair_of_~shoes/pairs_of_~shoes
靴子    双 any     clothes,warm,soils,wets           pair_of_~boots/pairs_of_~boots
袜子    双 any     clothes,warm,soils,wets           pair_of_~socks/pairs_of_~socks
雨衣    件 any     clothes,soils                     raincoat
斗篷    件 any     clothes,warm,gift,soils,wets      cloak
帽子    顶 any     headwear,warm,gift,soils,wets     hat
草帽    顶 -yellow headwear,gift                     straw_hat
围巾    条 any     headwear,warm,gift,soils,wets     scarf
手套    副 any     headwear,warm,gift,soils,wets     pair_of_~gloves/pairs_of_~gloves
眼镜    副 any     headwear,breaks                   pair_of_~glasses/pairs_of_~glasses
面具    个 any     headwear,gift,breaks,product      mask
戒指    枚 metal   headwear,gift,treasure            ring
项链    条 metal   headwear,gift,treasure            necklace
手镯    个 metal   headwear,gift,treasure            bracelet
铅笔    支 any     pen,gift                          pencil
毛笔    支 dark    pen,gift                          brush_pen
蜡笔    支 any     pen                               crayon
钢笔    支 any     pen,gift,breaks                   fountain_pen
粉笔    支 any     pen                               piece_of_~chalk/pieces_of_~chalk
水彩画  幅 -blue   art,gift                          watercolour
贺卡    张 any     art,gift                          greeting_card
年画    幅 -red    art,gift                          new_year_picture
画像    幅 -black  art,gift                          portrait
信      封 -white  letter                            letter
明信片  张 -blue   letter                            postcard
请帖    张 flower  letter                            invitation
木头    块 -yellow material                          piece_of_~wood/pieces_of_~wood
布料    块 any     material                          piece_of_~cloth/pieces_of_~cloth
彩纸    张 any     material,many                     sheet_of_~paper/sheets_of_~paper
竹子    根 -green  material,many                     bamboo_stick
毛线    团 any     material                          ball_of_~wool/balls_of_~wool
种子    颗 dark    seed,many                         seed
树苗    棵 -green  seed,many                         sapling
玫瑰    朵 flower  flower,many,gift                  rose
向日葵  朵 -yellow flower,many,gift                  sunflower
菊花    朵 flower  flower,many,gift                  daisy/daisies
百合    朵 flower  flower,many,gift                  lily/lilies
豆苗    棵 -green  seed,many                         bean_plant
花苗    棵 -green  seed,many                         flower_seedling
锤子    把 -silver tool                              hammer
钳子    把 any     tool                              pair_of_~pliers/pairs_of_~pliers
螺丝刀  把 any     tool                              screwdriver
胶水    瓶 -white  tool                              bottle_of_~glue/bottles_of_~glue
扳手    把 metal   tool                              spanner
绳子    根 -yellow rope                              rope
梯子    架 any     rope                              ladder
竹竿    根 -green  rope                              bamboo_pole
铲子    把 any     spade                             spade
锄头    把 -silver spade                             hoe
扫帚    把 -yellow broom                             broom
拖把    个 any     broom                             mop
钥匙    把 metal   key                               key
台灯    盏 any     light,breaks                      lamp
灯笼    个 any     light,gift,product                lantern
蜡烛    根 any     light                             candle
手电筒  个 any     light,gift,breaks                 torch
相机    台 dark    camera,gift,breaks                camera
雨伞    把 any     umbrella,gift,breaks              umbrella
毛巾    条 any     towel,soils,wets                  towel
毯子    条 any     blanket,soils,wets                blanket
被子    床 any     blanket,soils,wets                quilt
手帕    块 any     towel,gift,soils,wets             handkerchief
鲤鱼    条 fruit   fish                              carp/carp
金鱼    条 -red    fish                              goldfish/goldfish
龙虾    只 -red    fish                              lobster
螃蟹    只 fruit   fish                              crab
贝壳    个 flower  treasure,many,gift                shell
宝石    颗 any     treasure,many,gift                gem
金币    枚 -gold   treasure,many                     gold_coin
古剑    把 -silver treasure                          old_sword
石头    块 dark    treasure,many                     stone
羽毛    根 any     treasure,many,gift                feather
手表    块 any     gift,breaks,treasure              watch/watches
闹钟    个 any     breaks,gift                       alarm_clock
收音机  台 any     breaks,gift                       radio
望远镜  个 dark    breaks,gift                       telescope
花瓶    个 any     breaks,gift,soils                 vase
茶壶    个 any     breaks,gift,soils                 teapot
杯子    个 any     breaks,gift,soils                 cup
盘子    个 any     breaks,soils                      plate
镜子    面 any     breaks,gift,soils                 mirror
椅子    把 any     breaks,soils,product              chair
"""


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _pattern(noun: str) -> str:
    noun = noun.replace("_", " ")
    return noun.replace("~", "{}") if "~" in noun else "{}" + noun


def _read_things() -> dict[str, Thing]:
    things = {}
    for line in _TABLE.strip().splitlines():
        zh, measure, colours, traits, english = line.split()
        singular, _, plural = english.partition("/")
        kinds = set(traits.split(","))
        if "fixed" not in kinds:
            kinds.add("portable")
        if kinds & {"toy", "book", "instrument", "camera", "tool"}:
            kinds.add("reusable")
        thing = Thing(
            key=singular.replace("~", ""),
            zh=zh,
            measure=measure,
            en=_pattern(singular),
            plural=_pattern(plural or _plural(singular)),
            colours=_COLOUR_GROUPS.get(colours, ()),
            natural=_COLOUR_GROUPS.get(colours, (colours.removeprefix("-"),))[0],
            traits=frozenset(kinds),
        )
        things[thing.key] = thing
    return things


THINGS: dict[str, Thing] = _read_things()
