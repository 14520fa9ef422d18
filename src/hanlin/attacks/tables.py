"""Small tables of our own: characters that look alike, their components, words of one meaning.

They are short and chosen by hand, commonest first; what is in none of them is left alone by the
families `shape`, `split` and `synonym`. The page on robustness says how much of a text they reach.

    python -m hanlin.attacks.tables
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMPONENTS", "SHAPES", "SYNONYMS_EN", "SYNONYMS_ZH"]


def _groups(table: str) -> dict[str, tuple[str, ...]]:
    """Return for each member of a group (a run without spaces, parted by `/`) the others."""
    found: dict[str, tuple[str, ...]] = {}
    for group in table.split():
        members = group.split("/")
        for member in members:
            others = (other for other in members if other != member)
            found[member] = tuple(dict.fromkeys([*found.get(member, ()), *others]))
    return found


_SHAPES = """
    己已巳 未末木本术 土士工 大太犬尢 人入八 日曰目 天夫无 千干于 王玉主 午牛 刀力刁 贝见 甲由田申
    今令 白自百 几儿九 口囗 乌鸟 戊戌戍戎 住往佳 晴睛 情清请晴 蓝篮 辩辨辫 拨拔 坐座 哀衰衷 侯候
    折拆析 狠狼 徒陡 免兔 幻幼 享亨 历厉 券卷 买卖 常尝 赢羸 味昧 话活 很恨根跟 快块决 送迭 吃屹
    乞气 好奶 饭版 菜采 酒洒 慢漫 难准 差羞 服报 务条 店点 餐粲 员圆 态念 度席 质盾 量重 价介 格恪
    便使 宜宣 贵责 值直 房旁 间问闻 酒泗 早旱 晚挽 环坏 境镜 位拉 置罢 交文 通遁 洗冼 净争 干午
    卫工 生牛 设没 备各 新斩 旧归 床庆 被破 声卢 音昔 吵炒 静净 明朋 亮毫 热执 冷泠 水永 前煎 台合
    接按 待侍 客容 退腿 推椎 荐存 喜善 欢吹 爱受 美羊 满瞒 意竟 分公 错借 不下 没设 有冇 是昰 还坯
    个介 小少 多名 上土 中申 了子 这过 那哪 我找 你价 他地 他她 们闷 的昀 和种 在左 到倒 要耍 会合
    可叮 时吋 间同 说悦 也乜 就京 都郁 对时 最是 真直 又叉 再冉 只兄 给结 买头 电龟 机杌 手毛 网冈
    书韦 报投 国园 家豪 长张 短矩 高亮 低底 远运 近斤 开升 关美 老考 市布 州川 东车 西酉 南两 北比
"""

_COMPONENTS = """
    好女子 吃口乞 味口未 很彳艮 快忄夬 送关辶 饭饣反 菜艹采 酒氵酉 慢忄曼 难又隹 差羊工 服月艮
    店广占 餐歺又食 错钅昔 喜壴口 欢又欠 爱爫友 美羊大 满氵㒼 意音心 明日月 亮亠口几 热执灬 冷冫令
    静青争 净冫争 洗氵先 房户方 间门日 闻门耳 问门口 贵中贝 便亻更 宜宀且 值亻直 价亻介 格木各
    位亻立 置罒直 环王不 坏土不 境土竟 新亲斤 旧丨日 床广木 声士尸 吵口少 听口斤 说讠兑 话讠舌
    语讠吾 读讠卖 请讠青 情忄青 清氵青 晴日青 睛目青 想相心 念今心 态太心 怎乍心 您你心 思田心
    忘亡心 忙忄亡 怕忄白 性忄生 恨忄艮 懂忄董 惊忄京 他亻也 她女也 你亻尔 们亻门 什亻十 休亻木
    住亻主 作亻乍 做亻故 信亻言 体亻本 但亻旦 低亻氐 件亻牛 任亻壬 份亻分 伙亻火 优亻尤 伤亻力
    使亻吏 例亻列 供亻共 和禾口 种禾中 秋禾火 科禾斗 香禾日 季禾子 利禾刂 林木木 森木林 村木寸
    相木目 校木交 样木羊 桥木乔 树木对 机木几 板木反 松木公 枝木支 根木艮 河氵可 湖氵胡 海氵每
    江氵工 汤氵昜 油氵由 没氵殳 法氵去 活氵舌 温氵昷 游氵斿 深氵罙 浅氵戋 流氵㐬 打扌丁 找扌戈
    把扌巴 拉扌立 抱扌包 推扌隹 接扌妾 提扌是 换扌奂 拍扌白 投扌殳 报扌及 吗口马 吧口巴 呢口尼
    啊口阿 唱口昌 喝口曷 叫口丩 哪口那 咖口加 啡口非 咸戌口 时日寸 晚日免 早日十 昨日乍 星日生
    是日疋 男田力 加力口 动云力 功工力 助且力 努奴力 妈女马 奶女乃 姐女且 妹女未 姑女古 始女台
    如女口 要西女 安宀女 家宀豕 字宀子 客宀各 完宀元 定宀疋 宝宀玉 学⺍子 孩子亥 孙子小 尖小大
    尘小土 堂⺌土 地土也 场土昜 块土夬 城土成 坐从土 红纟工 绿纟录 给纟合 结纟吉 级纟及 纸纟氏
    经纟圣 练纟东 银钅艮 钱钅戋 铁钅失 铺钅甫 饿饣我 饱饣包 饮饣欠 馆饣官 饼饣并 肉冂人 胖月半
    脏月庄 肥月巴 脸月佥 腿月退 脚月却 朋月月 期其月 路足各 跑足包 跟足艮 近斤辶 远元辶 进井辶
    还不辶 这文辶 过寸辶 道首辶 迟尺辶 退艮辶 通甬辶 速束辶 选先辶 都者阝 院阝完 附阝付 强弓虽
    张弓长 草艹早 花艹化 苦艹古 茶艹木 荤艹军 药艹约 蛋疋虫 虾虫下 鲜鱼羊 鸡又鸟 鸭甲鸟 猪犭者
    狗犭句 牛丿千 物牛勿 特牛寺 辣辛束 烧火尧 烤火考 炒火少 烂火兰 灯火丁 点占灬 煮者灬 盘舟皿
    盒合皿 盐土皿 碗石宛 破石皮 硬石更 短矢豆 知矢口 矮矢委 空穴工 穿穴牙 窗穴囱 笑竹夭 等竹寺
    答竹合 第竹弟 算竹目 筷竹快 袋代衣 装壮衣 被衤皮 裤衤库 视礻见 福礻畐 神礻申 社礻土 课讠果
    谢讠射 谁讠隹 该讠亥 计讠十 认讠人 让讠上 记讠己 评讠平 词讠司 订讠丁 骑马奇 骗马扁 验马佥
    电曰乚 爸父巴 爷父卩 孬不好 歪不正 甭不用 尿尸水 层尸云 屋尸至 居尸古 病疒丙 疼疒冬 痛疒甬
    瘦疒叟 累田糸
"""

_ZH = """
    好吃/美味/可口 难吃/不可口/倒胃口 味道/口味/滋味 不错/挺好/还行 满意/称心/中意 非常/十分/极其
    特别/格外/尤其 喜欢/喜爱/钟意 推荐/举荐/力荐 便宜/实惠/低廉 昂贵/价高 干净/洁净/清洁
    肮脏/脏乱/污秽 舒服/舒适/惬意 漂亮/美丽/好看 热情/热心/殷勤 态度/神态 服务/招待
    服务员/侍者/店员 老板/店主/掌柜 快速/迅速/飞快 很快/挺快/颇快 很慢/挺慢/颇慢 缓慢/迟缓
    准时/按时/守时 新鲜/鲜嫩 分量/份量/量 包装/封装 送餐/配送/送饭 外卖/外送 餐厅/饭馆/饭店
    酒店/宾馆/旅馆 房间/客房/屋子 环境/周围 位置/地点/方位 方便/便利/便捷 安静/宁静/清静
    吵闹/喧闹/嘈杂 价格/价钱/价位 质量/品质 失望/灰心/扫兴 生气/气愤/恼火 高兴/开心/愉快
    糟糕/差劲/不像话 恶心/反胃/作呕 垃圾/废物 问题/毛病 投诉/控诉/告状 退款/退钱 建议/提议
    希望/盼望/期望 觉得/感到/认为 认为/以为/觉得 知道/知晓/晓得 告诉/告知/通知 发现/发觉/察觉
    开始/起初/着手 结束/完结/终结 继续/接着/持续 帮助/帮忙/协助 解决/处理/化解 选择/挑选/选取
    需要/须要/得要 应该/应当/理应 可能/或许/也许 已经/早已 经常/常常/时常 总是/老是/一向
    马上/立刻/立即 终于/总算 完全/彻底/全然 几乎/差不多 大概/大约/约莫 因为/由于 所以/因此/因而
    但是/可是/然而 如果/假如/倘若 虽然/尽管 而且/并且/况且 以后/之后 以前/之前/从前 时候/时刻
    时间/时光 今天/今日 明天/明日 昨天/昨日 朋友/友人/伙伴 孩子/小孩/儿童 父亲/爸爸 母亲/妈妈
    老师/教师 学生/学员 公司/企业 工作/干活/做事 学习/研读 看见/看到/瞧见 美好/美妙 重要/要紧/关键
    简单/容易/简易 困难/艰难 巨大/庞大/硕大 微小/细小 许多/很多/好多 全部/所有/全体 一样/相同/同样
    不同/两样 真的/确实/的确 确实/的确/实在 实在/着实 太差/太糟 第一次/头一回/首次 下次/下回
    再也/再 不会/不至于 没有/没 还是/仍旧/依然 有点/有些/略微 比较/较为 一般/普通/平常 贴心/周到
    周到/细致/体贴 值得/配得上 划算/合算 超级/超 迟到/晚到 打电话/致电/去电 客服/客户服务
    差评/劣评 好评/佳评
"""

_EN = """
    good/fine/decent great/superb/terrific excellent/superb/outstanding
    wonderful/marvellous/delightful bad/poor/lousy terrible/dreadful/awful
    horrible/dreadful/ghastly awful/dreadful/appalling boring/tedious/dull dull/drab/dreary
    funny/humorous/amusing amusing/entertaining entertaining/engaging/diverting
    interesting/intriguing/absorbing beautiful/lovely/gorgeous ugly/unsightly/hideous
    smart/clever/bright clever/ingenious stupid/foolish/silly silly/foolish strong/powerful/robust
    weak/feeble/frail big/large/huge small/little/tiny fast/quick/rapid slow/sluggish/leisurely
    happy/glad/cheerful sad/sorrowful/mournful angry/furious/irate love/adore/cherish
    hate/loathe/detest like/enjoy enjoyable/pleasant/pleasing pleasant/agreeable
    enjoy/relish/savour film/movie/picture movie/film/picture story/tale/narrative plot/storyline
    character/figure/persona characters/figures/personas actor/performer/player
    actors/performers/players director/filmmaker performance/portrayal/rendition
    performances/portrayals acting/playing script/screenplay scene/sequence scenes/sequences
    comedy/farce drama/play thriller/chiller romance/affair audience/spectators viewers/watchers
    fans/admirers critic/reviewer work/labour effort/attempt/endeavour attempt/effort/try
    moment/instant moments/instants life/existence world/globe man/fellow woman/lady people/folks
    child/kid children/kids friend/pal family/household home/house way/manner thing/item
    things/items idea/notion/concept ideas/notions feeling/sense feelings/emotions emotion/feeling
    heart/soul mind/intellect humor/wit humour/wit wit/humour charm/appeal
    charming/delightful/winning energy/vigour power/might powerful/potent/mighty
    moving/touching/stirring touching/moving/poignant fresh/novel/new new/novel/recent
    old/aged/ancient original/inventive/novel familiar/well-known predictable/foreseeable
    perfect/flawless/faultless flawed/faulty real/genuine/actual true/genuine fake/phony
    false/untrue honest/sincere/frank sincere/heartfelt serious/grave/solemn light/airy
    heavy/weighty dark/gloomy bright/vivid simple/plain/uncomplicated
    complex/intricate/complicated easy/effortless hard/tough/difficult difficult/tough/tricky
    rich/wealthy empty/hollow/vacant full/packed best/finest worst/poorest better/finer
    worse/poorer really/truly/genuinely very/extremely/highly quite/rather/fairly too/overly
    so/thus almost/nearly/virtually always/forever never/not_once often/frequently
    sometimes/occasionally maybe/perhaps/possibly perhaps/maybe but/yet however/nevertheless
    because/since although/though while/whilst many/numerous several/various few/scant
    whole/entire entire/whole/complete begin/start/commence end/finish/conclude
    make/create/produce makes/creates/produces made/created/produced show/display/exhibit
    shows/displays/exhibits watch/view/see watching/viewing see/view look/glance find/discover
    think/believe/reckon know/understand feel/sense say/state/remark tell/inform
    give/grant/provide gives/grants/provides get/obtain take/grab keep/retain help/aid/assist
    try/attempt want/desire/wish need/require seem/appear seems/appears become/grow become/turn
    fail/flop fails/flops succeed/prevail works/functions lack/want lacks/wants waste/squander
    offer/provide offers/provides deliver/supply delivers/supplies ridiculous/absurd/ludicrous
    absurd/ludicrous odd/strange strange/odd/peculiar weird/odd/bizarre scary/frightening/spooky
    violent/brutal gentle/mild/tender warm/cordial cold/chilly pretentious/showy
    shallow/superficial deep/profound thoughtful/reflective subtle/delicate bland/insipid
    messy/untidy mess/muddle disappointing/underwhelming impressive/striking remarkable/noteworthy
    memorable/unforgettable forgettable/unmemorable compelling/gripping gripping/riveting
    suspenseful/tense tense/taut pointless/senseless
"""

SHAPES: Mapping[str, str] = {
    character: "".join(others)
    for character, others in _groups(" ".join("/".join(group) for group in _SHAPES.split())).items()
}
"""Characters that look like each one."""

COMPONENTS: Mapping[str, str] = {group[0]: group[1:] for group in _COMPONENTS.split()}
"""The parts that each character is written with."""

SYNONYMS_ZH: Mapping[str, tuple[str, ...]] = _groups(_ZH)
"""Words of about the same meaning."""

SYNONYMS_EN: Mapping[str, tuple[str, ...]] = {
    word: tuple(other.replace("_", " ") for other in others)
    for word, others in _groups(_EN).items()
}
"""The same for English, in lower case; forms of a word stand apart."""

if __name__ == "__main__":
    print(len(SHAPES), len(COMPONENTS), len(SYNONYMS_ZH), len(SYNONYMS_EN))
