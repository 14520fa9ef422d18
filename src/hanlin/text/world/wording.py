"""How each action is said: its sentences in Chinese and in English.

A slot names a role of the action (`hanlin.text.world.actions`): `{a}` as already known, `{+a}` as
newly met, `{@p}` a place with its preposition (公园里, in the park), `{p}` its bare name. In the
table an action has a line of Chinese and a line of English; the first sentence of each is the plain
one, used in summaries. Full stops are added.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from hanlin.text.world.entities import Language

__all__ = ["CONNECTIVES", "FRAMES", "SENTENCES"]

FRAMES: dict[str, dict[Language, tuple[str, ...]]] = {
    "opening": {
        "zh": ("从前，", "一天，", "早上，", "下午，", "晚上，"),
        "en": (
            "Once upon a time, ",
            "One day, ",
            "One morning, ",
            "One afternoon, ",
            "One evening, ",
        ),
    },
    "ending": {
        "zh": ("最后，", "就这样，"),
        "en": ("In the end, ", "And so "),
    },
}
"""What a first and a last sentence must begin with; the languages correspond in order."""

CONNECTIVES: dict[Language, tuple[str, ...]] = {
    "zh": ("然后，", "后来，", "接着，", "不久，"),
    "en": ("Then ", "Later, ", "After that, ", "Soon "),
}
"""What a sentence between may begin with; the languages correspond in order."""

_TABLE = """
be_at           {+a}来到了{p} | {+a}在{@p}玩
                {+a} came to {p} | {+a} was playing {@p}
be_with         {+a}带着{+x}来到了{p} | {+a}在{@p}，带着{+x}
                {+a} came to {p} with {+x} | {+a} was {@p} with {+x}
be_meeting      {+a}带着{+x}来到{p}，遇见了{+b} | {+a}带{+x}去{p}，见到了{+b}
                {+a} took {+x} to {p} and met {+b} | {+a} brought {+x} to {p} and saw {+b}
be_together     {+a}和{+b}来到了{p} | {+a}和{+b}在{@p}玩
                {+a} and {+b} came to {p} | {+a} and {+b} were playing {@p}
join            {+a}也来了 | {+a}走了过来
                {+a} came too | {+a} came along
join_with       {+a}带着{+x}来了 | {+a}带着{+x}走了过来
                {+a} came with {+x} | {+a} came along with {+x}
meet            {a}遇见了{+b} | {a}碰到了{+b}
                {a} met {+b} | {a} ran into {+b}
see             {a}看见了{+x} | {a}发现了{+x}
                {a} saw {+x} | {a} noticed {+x}
see_locked      {a}看见了{+x}，可是打不开
                {a} saw {+x}, but could not open it
own             {a}有{+x} | {a}拿出了{+x}
                {a} had {+x} | {a} brought out {+x}
buy             {a}在{@p}买了{+x} | {a}在{@p}花钱买下了{+x}
                {a} bought {+x} {@p} | {a} paid for {+x} {@p}
go              {a}去了{p} | {a}走到了{p}
                {a} went to {p} | {a} walked to {p}
come_back       {a}回到了{p} | {a}又去了{p}
                {a} went back to {p} | {a} returned to {p}
go_together     {a}和{b}一起去了{p} | {a}带着{b}去了{p}
                {a} and {b} went to {p} together | {a} took {b} to {p}
ride            {a}骑着{x}去了{p} | {a}骑{x}到了{p}
                {a} rode {x} to {p} | {a} got on {x} and rode to {p}
pick_up         {a}捡起了{x} | {a}拿起了{x}
                {a} picked up {x} | {a} took {x}
put_down        {a}把{x}放在了{@p} | {a}把{x}留在了{@p}
                {a} put {x} down {@p} | {a} left {x} {@p}
forget          {a}把{x}忘在了{@p}
                {a} forgot {x} {@p}
remember        {a}想起了{x} | {a}忽然记起了{x}
                {a} remembered {x} | {a} thought of {x}
lose            {a}在{@p}弄丢了{x} | {a}把{x}丢在了{@p}
                {a} lost {x} {@p} | {a} dropped {x} {@p}
search          {a}到处找{x} | {a}开始找{x}
                {a} looked everywhere for {x} | {a} began to look for {x}
help_search     {a}帮{b}找{x} | {a}和{b}一起找{x}
                {a} helped {b} look for {x} | {a} and {b} looked for {x} together
find            {a}在{@p}找到了{x} | {a}终于在{@p}找到了{x}
                {a} found {x} {@p} | {a} at last found {x} {@p}
hide            {a}把{x}藏在了{@p}
                {a} hid {x} {@p}
want            {a}想要{x} | {a}很喜欢{x}
                {a} wanted {x} | {a} liked {x}
ask_for         {a}向{b}要{x}
                {a} asked {b} for {x} | {a} begged {b} for {x}
refuse          {a}不肯把{x}给{b}
                {a} would not give {x} to {b}
give            {a}把{x}给了{b} | {a}把{x}送给了{b}
                {a} gave {x} to {b} | {a} gave {b} {x}
throw           {a}把{x}扔给了{b} | {a}把{x}抛给了{b}
                {a} threw {x} to {b} | {a} tossed {x} to {b}
trade           {a}用{x}和{b}换了{y}
                {a} traded {x} with {b} for {y}
borrow          {a}向{b}借了{x} | {a}从{b}那里借来了{x}
                {a} borrowed {x} from {b}
lend            {a}把{x}借给了{b}
                {a} lent {x} to {b} | {a} lent {b} {x}
return          {a}把{x}还给了{b}
                {a} returned {x} to {b} | {a} gave {x} back to {b}
sell            {a}把{x}卖给了{b}
                {a} sold {x} to {b} | {a} sold {b} {x}
show            {a}给{b}看{x} | {a}让{b}看了{x}
                {a} showed {x} to {b} | {a} showed {b} {x}
tell            {a}告诉{b}，{x}在{@p}
                {a} told {b} about {x} {@p}
thank           {a}对{b}说：“谢谢你！” | {a}感谢了{b}
                {a} said to {b}, "Thank you!" | {a} thanked {b}
snatch          {a}抢走了{b}手里的{x} | {a}从{b}手里抢走了{x}
                {a} snatched {x} from {b} | {a} grabbed {x} from {b}
apologise       {a}对{b}说：“对不起！” | {a}向{b}道歉
                {a} said to {b}, "I am sorry!" | {a} said sorry to {b}
forgive         {a}原谅了{b} | {a}不再生{b}的气
                {a} forgave {b} | {a} was no longer angry with {b}
open            {a}打开了{x} | {a}把{x}打开了
                {a} opened {x}
close           {a}关上了{x} | {a}把{x}关好了
                {a} closed {x} | {a} shut {x}
unlock          {a}用{x}开了{y}的锁
                {a} unlocked {y} with {x}
discover        {a}在{y}里发现了{+x} | {a}看到{y}里有{+x}
                {a} found {+x} in {y} | {a} saw {+x} in {y}
put_in          {a}把{x}放进了{y} | {a}把{x}装进了{y}
                {a} put {x} into {y} | {a} placed {x} in {y}
take_out        {a}从{y}里拿出了{x} | {a}从{y}里取出了{x}
                {a} took {x} out of {y} | {a} got {x} out of {y}
be_hungry       {a}饿了 | {a}肚子很饿
                {a} was hungry | {a} felt hungry
eat             {a}吃了{x} | {a}把{x}吃完了
                {a} ate {x} | {a} ate up {x}
be_full         {a}吃饱了 | {a}不饿了
                {a} was full | {a} was not hungry any more
feed            {a}用{x}喂了{b} | {a}把{x}喂给了{b}
                {a} fed {x} to {b} | {a} fed {b} {x}
share           {a}和{b}分着吃了{x} | {a}和{b}一起吃了{x}
                {a} shared {x} with {b} | {a} and {b} ate {x} together
be_thirsty      {a}渴了 | {a}口很渴
                {a} was thirsty | {a} felt thirsty
drink           {a}喝了{x} | {a}把{x}喝完了
                {a} drank {x} | {a} drank up {x}
be_quenched     {a}不渴了
                {a} was not thirsty any more
cook            {a}在{@p}用{x}做了{+y}
                {a} cooked {+y} with {x} {@p}
get_dirty       {a}把{x}弄脏了
                {a} got {x} dirty
wash            {a}把{x}洗干净了 | {a}洗了{x}
                {a} washed {x} | {a} washed {x} clean
get_wet         {a}把{x}弄湿了
                {a} got {x} wet
dry             {a}把{x}晒干了
                {a} dried {x} in the sun
break           {a}把{x}弄坏了 | {a}不小心弄坏了{x}
                {a} broke {x} | {a} broke {x} by mistake
repair          {a}把{x}修好了 | {a}修好了{x}
                {a} repaired {x} | {a} mended {x}
repair_with     {a}用{y}修好了{x}
                {a} repaired {x} with {y} | {a} mended {x} with {y}
repair_for      {a}帮{b}修好了{x} | {a}替{b}修好了{x}
                {a} repaired {x} for {b} | {a} mended {x} for {b}
ask_help        {a}请{b}帮忙 | {a}向{b}求助
                {a} asked {b} for help
comfort         {a}安慰了{b} | {a}让{b}别难过
                {a} comforted {b} | {a} cheered {b} up
sweep           {a}用{x}打扫了{p}
                {a} swept {p} with {x} | {a} cleaned {p} with {x}
play            {a}玩起了{x} | {a}开心地玩{x}
                {a} played with {x} | {a} had fun with {x}
play_together   {a}和{b}一起玩{x}
                {a} and {b} played with {x} together
read            {a}读了{x} | {a}看了{x}
                {a} read {x}
read_letter     {a}读了{x} | {a}看了{x}
                {a} read {x}
read_to         {a}给{b}读了{x} | {a}念{x}给{b}听
                {a} read {x} to {b} | {a} read {b} {x}
be_cold         {a}觉得很冷 | {a}冷了
                {a} felt cold | {a} was cold
wear            {a}穿上了{x} | {a}把{x}穿上了
                {a} put on {x} | {a} put {x} on
put_on          {a}戴上了{x} | {a}把{x}戴上了
                {a} put on {x} | {a} put {x} on
be_warm         {a}暖和了 | {a}不冷了
                {a} was warm again | {a} was not cold any more
perform         {a}用{x}演奏了一首歌
                {a} played a song on {x} | {a} played a tune on {x}
applaud         {a}为{b}鼓掌 | {a}给{b}鼓掌
                {a} clapped for {b} | {a} cheered for {b}
teach           {a}教{b}演奏{x}
                {a} taught {b} to play {x} | {a} showed {b} how to play {x}
be_dark         天黑了，{a}什么也看不见
                The sky grew dark, and {a} could not see | Night fell around {a}
light           {a}点亮了{x} | {a}把{x}点亮了
                {a} lit {x} | {a} lit up {x}
see_again       {a}又看得见了
                {a} could see again
draw            {a}用{x}画了{+y}
                {a} drew {+y} with {x} | {a} made {+y} with {x}
write           {a}用{x}写了{+y}
                {a} wrote {+y} with {x}
mail            {a}把{x}寄给了{b}
                {a} mailed {x} to {b} | {a} posted {x} to {b}
receive         {a}收到了{x}
                {a} received {x}
craft           {a}用{x}做成了{+y}
                {a} made {+y} out of {x} | {a} built {+y} out of {x}
plant           {a}把{x}种在了{@p} | {a}在{@p}种下了{x}
                {a} planted {x} {@p}
water           {a}给{x}浇了水 | {a}给{x}浇水
                {a} watered {x}
grow            {x}长大了 | {x}长高了
                {x} grew | {x} grew tall
pick            {a}在{@p}摘了{+x} | {a}在{@p}采了{+x}
                {a} picked {+x} {@p}
get_rained_on   下雨了，{a}没有地方躲雨
                Rain began to fall on {a} | Rain fell, and {a} had no shelter
put_up          {a}撑开了{x} | {a}打起了{x}
                {a} put up {x}
shelter         {a}和{b}一起撑{x} | {a}用{x}给{b}挡雨
                {a} held {x} over {b} | {a} and {b} stood under {x} together
swim            {a}在{@p}游泳，全身湿了
                {a} went for a swim {@p} and got wet
dry_off         {a}用{x}擦干了身体
                {a} dried off with {x} | {a} got dry with {x}
fish            {a}在{@p}捉到了{+x} | {a}在{@p}抓住了{+x}
                {a} caught {+x} {@p}
release         {a}把{x}放回了水里 | {a}放走了{x}
                {a} put {x} back into the water | {a} let {x} go
dig_up          {a}在{@p}用{x}挖到了{+y}
                {a} dug up {+y} with {x} {@p}
race            {a}和{b}赛跑 | {a}和{b}比赛跑步
                {a} and {b} ran a race | {a} ran a race against {b}
win             {a}跑赢了{b} | {a}跑得比{b}快，赢了
                {a} beat {b} | {a} ran faster than {b} and won
congratulate    {a}祝贺{b} | {a}为{b}的胜利高兴
                {a} congratulated {b}
be_tired        {a}累了 | {a}觉得很困
                {a} was tired | {a} felt sleepy
fall_asleep     {a}睡着了
                {a} fell asleep | {a} went to sleep
wake            {a}睡醒了 | {a}醒了过来
                {a} woke up
rouse           {a}叫醒了{b} | {a}把{b}叫醒了
                {a} woke {b} up | {a} woke {b}
cover           {a}给{b}盖上了{x} | {a}把{x}盖在{b}身上
                {a} covered {b} with {x} | {a} laid {x} over {b}
fall_down       {a}摔倒了 | {a}跌倒了
                {a} fell down | {a} tripped and fell
help_up         {a}扶起了{b} | {a}把{b}扶了起来
                {a} helped {b} up | {a} helped {b} get up
get_stuck       {a}掉进了坑里 | {a}掉进了洞里
                {a} fell into a hole | {a} fell into a pit
rescue          {a}用{x}救出了{b} | {a}用{x}救了{b}
                {a} rescued {b} with {x} | {a} saved {b} with {x}
get_lost        {a}迷路了
                {a} got lost | {a} lost the way
guide           {a}给{b}指了路 | {a}给{b}带路
                {a} showed {b} the way
use_map         {a}看着{x}找到了路 | {a}靠{x}找到了路
                {a} found the way with {x}
hide_self       {a}躲了起来 | {a}藏了起来
                {a} hid | {a} hid away
catch           {a}找到了{b} | {a}发现了{b}
                {a} found {b} | {a} spotted {b}
have_birthday   今天是{a}的生日
                Today was {a}'s birthday
bless           {a}祝{b}生日快乐 | {a}对{b}说：“生日快乐！”
                {a} wished {b} a happy birthday | {a} said to {b}, "Happy birthday!"
photograph      {a}用{x}给{b}拍了照
                {a} took a picture of {b} with {x}
cry             {a}哭了 | {a}伤心地哭了
                {a} cried | {a} began to cry
be_sad          {a}很难过 | {a}很伤心
                {a} was sad | {a} felt sad
be_happy        {a}很高兴 | {a}开心地笑了
                {a} was happy | {a} smiled happily
part            {a}向{b}道别 | {a}对{b}说：“再见！”
                {a} said goodbye to {b} | {a} said to {b}, "Goodbye!"
go_home         {a}高兴地回家了 | {a}开心地回家了
                {a} went home happily | {a} happily went home
go_home_two     {a}和{b}一起回家了
                {a} and {b} went home together
take_home       {a}带着{x}回家了 | {a}把{x}带回了家
                {a} went home with {x} | {a} took {x} home
keep            {a}把{x}收好了 | {a}留下了{x}
                {a} kept {x} | {a} put {x} away safely
all_happy       {a}和{b}都很高兴 | {a}和{b}都笑了
                {a} and {b} were happy | {a} and {b} both smiled
become_friends  {a}和{b}成了好朋友
                {a} and {b} became good friends
stay_at         {x}留在了{@p}
                {x} stayed {@p}
stay_in         {x}留在了{y}里
                {x} stayed in {y}
"""


def _read_sentences() -> dict[str, dict[Language, tuple[str, ...]]]:
    lines = _TABLE.strip().splitlines()
    sentences: dict[str, dict[Language, tuple[str, ...]]] = {}
    for chinese, english in zip(lines[::2], lines[1::2], strict=True):
        name, _, chinese = chinese.partition(" ")
        sentences[name] = {"zh": _variants(chinese), "en": _variants(english)}
    return sentences


def _variants(line: str) -> tuple[str, ...]:
    return tuple(variant.strip() for variant in line.split("|"))


SENTENCES: dict[str, dict[Language, tuple[str, ...]]] = _read_sentences()
"""By action and language, its sentences; a verb's plain form comes first."""
