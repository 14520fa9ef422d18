"""The actors and places of the toy world, and the lookup of every entity by its key.

Things have a table of their own, `hanlin.text.world.things`. A key is unique among all three. In
every table the first entities are the most frequent, and an underscore stands for a space.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from itertools import zip_longest

from hanlin.text.world.entities import Actor, Place
from hanlin.text.world.things import THINGS

__all__ = ["ACTORS", "PLACES", "PRONOUNS", "THINGS"]

PRONOUNS: dict[str, str] = {"he": "他", "she": "她", "it": "它"}

# Two columns a person, four people a line.
_MALES = """
小明 Ming   小华 Hua    小军 Jun    小刚 Gang
小强 Qiang  小峰 Feng   小杰 Jie    小东 Dong
小勇 Yong   小亮 Liang  小伟 Wei    小波 Bo
小涛 Tao    小宝 Bao    小虎 Hu     小文 Wen
小海 Hai    汤姆 Tom    杰克 Jack   彼得 Peter
爸爸 Dad    爷爷 Grandpa
"""
_FEMALES = """
小红 Hong   小丽 Li     小芳 Fang   小美 Mei
小云 Yun    小雨 Yu     小雪 Xue    小兰 Lan
小英 Ying   小玲 Ling   小琴 Qin    小静 Jing
小娟 Juan   小燕 Yan    小莲 Lian   小月 Yue
小霞 Xia    安娜 Anna   露西 Lucy   艾米 Amy
妈妈 Mom    奶奶 Grandma
"""
# Chinese, English, pronoun.
_ROLES = """
老师 teacher  she
医生 doctor   he
农夫 farmer   he
厨师 cook     he
国王 king     he
公主 princess she
王子 prince   he
画家 painter  she
渔夫 fisherman he
木匠 carpenter he
"""
# Chinese, measure word, English.
_ANIMALS = """
小猫 只 cat
小狗 只 dog
小兔 只 rabbit
小熊 只 bear
小鸟 只 bird
小鸡 只 chick
小鸭 只 duck
小猪 头 pig
小羊 只 sheep
小牛 头 cow
小马 匹 horse
小猴 只 monkey
小象 头 elephant
小鹿 只 deer
老鼠 只 mouse
松鼠 只 squirrel
刺猬 只 hedgehog
乌龟 只 turtle
青蛙 只 frog
狐狸 只 fox
老虎 只 tiger
狮子 头 lion
企鹅 只 penguin
熊猫 只 panda
"""
# Chinese name, Chinese locative, English preposition, English name, what can be done there.
_PLACES = """
公园    公园里    in  park          soil water
花园    花园里    in  garden        soil
森林    森林里    in  forest        soil
沙滩    沙滩上    on  beach         water
河边    河边      by  river         water
湖边    湖边      by  lake          water
池塘边  池塘边    by  pond          water
海边    海边      by  sea           water
学校    学校里    at  school        room
教室    教室里    in  classroom     room
图书馆  图书馆里  in  library       room
厨房    厨房里    in  kitchen       kitchen room
餐厅    餐厅里    in  restaurant    kitchen room
茶馆    茶馆里    in  teahouse      kitchen room
卧室    卧室里    in  bedroom       room
客厅    客厅里    in  sitting_room  room
阁楼    阁楼里    in  attic         room
阳台    阳台上    on  balcony       room
院子    院子里    in  yard          soil
果园    果园里    in  orchard       soil
农场    农场里    on  farm          soil
田野    田野里    in  field         soil
草地    草地上    on  meadow        soil
山坡    山坡上    on  hill          soil
市场    市场里    at  market        shop
商店    商店里    in  shop          shop
超市    超市里    at  supermarket   shop
商场    商场里    in  mall          shop
村子    村子里    in  village
小镇    小镇上    in  town
大街    大街上    on  street
广场    广场上    on  square
大桥    大桥上    on  bridge
车站    车站里    at  station       room
操场    操场上    on  playground
动物园  动物园里  at  zoo
博物馆  博物馆里  in  museum        room
剧院    剧院里    in  theatre       room
医院    医院里    in  hospital      room
邮局    邮局里    at  post_office   room
山洞    山洞里    in  cave
小岛    小岛上    on  island        water
城堡    城堡里    in  castle        room
王宫    王宫里    in  palace        room
帐篷    帐篷里    in  tent          room
"""


def _read_people() -> dict[str, Actor]:
    actors = {}
    for table, pronoun in ((_MALES, "he"), (_FEMALES, "she")):
        words = table.split()
        for zh, en in zip(words[::2], words[1::2], strict=True):
            actors[en.lower()] = Actor(en.lower(), zh, en, pronoun, traits=frozenset({"person"}))
    for line in _ROLES.strip().splitlines():
        zh, en, pronoun = line.split()
        actors[en] = Actor(en, zh, en, pronoun, False, "位", frozenset({"person"}))
    return actors


def _read_animals() -> dict[str, Actor]:
    rows = [line.split() for line in _ANIMALS.strip().splitlines()]
    animal = frozenset({"animal"})
    return {en: Actor(en, zh, en, "it", False, measure, animal) for zh, measure, en in rows}


def _read_places() -> dict[str, Place]:
    places = {}
    for line in _PLACES.strip().splitlines():
        zh, zh_at, preposition, key, *traits = line.split()
        en = key.replace("_", " ")
        places[key] = Place(key, zh, zh_at, en, preposition, frozenset(traits))
    return places


def _read_actors() -> dict[str, Actor]:
    """Read all actors, men, women and animals in turn, since the first are the most frequent."""
    groups: dict[str, list[Actor]] = {}
    for actor in (_read_people() | _read_animals()).values():
        groups.setdefault(actor.pronoun, []).append(actor)
    ranks = zip_longest(*groups.values())
    return {actor.key: actor for rank in ranks for actor in rank if actor}


ACTORS: dict[str, Actor] = _read_actors()
PLACES: dict[str, Place] = _read_places()
