"""The plots: what stories are about, as steps over a small cast; the first are the most frequent.

A line reads `name: cast: steps`. The cast names the traits that entities need. A step is an action
of `hanlin.text.world.actions` with its roles, or one of these directions in capitals:

    HAVE a x   a holds x; if not yet, a comes with it, finds it or buys it
    WITH a b   b is where a is; if not yet, b comes
    BRING b x  b comes to the scene and brings x along
    SEE a x    a sees x, a new thing, where a is
    USE a x    a does with x whatever x is for, if anything

`?step` is taken now and then and only if it is possible, `*step` belongs into the summary, and
`step / step` is a choice. Among the places, `p` is where the step's first actor is, `q` is
somewhere else, and `o` is where the plot began.

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PLOTS", "Plot", "Step"]

_TABLE = """
gift:       x:gift: HAVE a x; WITH a b; ?want b x; *give a b x; ?thank b a; ?USE b x
losing:     x:gift: HAVE a x; *lose a x p; ?be_sad a; search a x; *find a x p; ?be_happy a
meal:       x:food: be_hungry a; HAVE a x; *eat a x; be_full a / be_happy a
box:        y:container x:gift: SEE a y; *open a y; discover a x y; *take_out a x y; USE a x
sharing:    x:shared: HAVE a x; WITH a b; *share a b x; ?be_happy b
wish:       x:gift: HAVE a x; WITH a b; ask_for b a x; *give a b x; ?thank b a; ?USE b x
laundry:    x:soils: HAVE a x; *get_dirty a x; ?be_sad a; *wash a x; USE a x
drinking:   x:drink: be_thirsty a; HAVE a x; *drink a x; be_quenched a
repair:     x:breaks: HAVE a x; *break a x; ?be_sad a; *repair a x; ?be_happy a
treat:      x:food: HAVE a x; WITH a b; be_hungry b; *give a b x; *eat b x; thank b a / be_full b
flowers:    x:flower p:soil: *pick a x p; WITH a b; *give a b x; ?thank b a
cold:       x:warm: HAVE a x; WITH a b; be_cold b; *give a b x; USE b x; be_warm b
hiding:     x:gift: HAVE a x; WITH a b; *hide a x p; search b x; *find b x p; ?be_happy b
race:       : WITH a b; race a b; *win a b; congratulate b a
help:       x:gift: HAVE a x; WITH a b; *lose a x p; ?cry a; help_search b a x; find b x p;
            *give b a x; thank a b
night:      x:light: be_dark a; HAVE a x; *light a x; see_again a
packing:    x:gift y:container: HAVE a x; SEE a y; open a y; *put_in a x y; close a y
birthday:   x:gift: HAVE a x; WITH a b; have_birthday b; ?bless a b; *give a b x; ?thank b a;
            ?USE b x
feeding:    x:food b:animal: HAVE a x; WITH a b; be_hungry b; *feed a b x; be_full b / thank b a
loan:       x:reusable: BRING b x; want a x; *borrow a b x; USE a x; ?thank a b; *return a b x
garden:     x:seed p:soil: HAVE a x; *plant a x p; water a x; *grow x; ?be_happy a
concert:    x:instrument: HAVE a x; WITH a b; *perform a x; applaud b a; ?be_happy a
market:     x:shared p:shop: buy a x p; WITH a b; *share a b x
picture:    x:pen y:art: HAVE a x; *draw a x y; WITH a b; *give a b y; ?thank b a
catching:   x:ball: HAVE a x; WITH a b; *throw a b x; throw b a x / be_happy b; play_together a b x
refusal:    x:reusable: HAVE a x; WITH a b; ask_for b a x; refuse a b x; cry b / be_sad b;
            *give a b x; be_happy b / thank b a
swimming:   x:towel p:water: HAVE a x; *swim a p; *dry_off a x; ?be_happy a
nap:        : be_tired a; fall_asleep a; WITH a b; *rouse b a; be_tired b; fall_asleep b; rouse a b
reading:    x:book: HAVE a x; WITH a b; *read_to a b x; *give a b x; read b x / thank b a
map:        x:map: get_lost a; HAVE a x; *use_map a x; go a q
drying:     x:wets: HAVE a x; *get_wet a x; ?be_sad a; *dry a x; USE a x
shower:     x:umbrella p:soil: HAVE a x; get_rained_on a; *put_up a x
fall:       : WITH a b; fall_down a; ?cry a; *help_up b a; thank a b
lending:    x:reusable: HAVE a x; WITH a b; *lend a b x; ?USE b x; *return b a x; thank b a
trade:      x:gift y:gift: HAVE a x; BRING b y; *trade a b x y; USE a y; ?be_happy b
helper:     x:breaks: HAVE a x; WITH a b; *break a x; ask_help a b; *repair_for b a x; thank a b
forgetting: x:gift: HAVE a x; *forget a x p; go a q; remember a x; come_back a o; *find a x o
storing:    x:gift: HAVE a x; put_down a x p; go a q; come_back a o; *pick_up a x
outing:     x:vehicle: HAVE a x; *ride a x q; ?be_tired a; *ride a x o
sweeping:   x:broom p:room q:room: HAVE a x; *sweep a x p; go a q; *sweep a x p
quarrel:    x:reusable: HAVE a x; WITH a b; *snatch b a x; cry a / be_sad a; apologise b a;
            *return b a x; forgive a b
showing:    x:treasure: HAVE a x; WITH a b; show a b x; want b x; *give a b x; ?thank b a
sale:       x:gift: HAVE a x; WITH a b; want b x; *sell a b x; ?USE b x
hint:       x:gift: HAVE a x; WITH a b; *hide a x p; search b x; tell a b x p; *find b x p
hide_seek:  : WITH a b; hide_self a; *catch b a; hide_self b; *catch a b
farewell:   x:gift: WITH a b; own a x; *give a b x; ?USE b x; part a b
stash:      x:gift y:container: HAVE a x; SEE a y; open a y; *put_in a x y; WITH a b;
            *take_out b x y; ?USE b x
lock:       y:lockable k:key x:treasure: see_locked a y; HAVE a k; *unlock a k y; open a y;
            discover a x y; *take_out a x y
offer:      x:drink: HAVE a x; WITH a b; be_thirsty b; *give a b x; *drink b x; thank b a
cooking:    x:ingredient y:dish p:kitchen: HAVE a x; *cook a x y p; be_hungry a; *eat a y;
            ?be_full a
kitchen:    x:ingredient y:dish p:kitchen: HAVE a x; WITH a b; *cook a x y p; be_hungry b;
            *give a b y; eat b y; ?thank b a
shopping:   x:gift p:shop: *buy a x p; go a q; WITH a b; *give a b x; ?thank b a; ?USE b x
workshop:   x:breaks y:tool: HAVE a x; *break a x; HAVE a y; *repair_with a x y; ?be_happy a
toolbox:    x:breaks y:tool: HAVE a x; BRING b y; *break a x; lend b a y; *repair_with a x y;
            return a b y
lesson:     x:instrument: HAVE a x; WITH a b; *teach a b x; *give a b x; perform b x; applaud a b
letter:     x:pen y:letter: HAVE a x; WITH a b; *write a x y; *mail a b y; receive b y;
            read_letter b y
making:     x:material y:product: HAVE a x; *craft a x y; WITH a b; *give a b y; ?USE b y
photo:      x:camera: HAVE a x; WITH a b; *photograph a b x; thank b a / be_happy b
rain:       x:umbrella p:soil: HAVE a x; WITH a b; get_rained_on b; *shelter a b x; thank b a
fishing:    x:fish p:water: *fish a x p; WITH a b; show a b x; *release a x
fish_gift:  x:fish p:water: *fish a x p; WITH a b; want b x; *give a b x; ?thank b a
treasure:   x:spade y:treasure p:soil: HAVE a x; *dig_up a x y p; WITH a b; *give a b y; ?thank b a
riding:     x:vehicle: HAVE a x; *ride a x q; WITH a b; *lend a b x; ?thank b a
trip:       x:gift: HAVE a x; WITH a b; *go_together a b q; *give a b x; ?USE b x
prize:      x:gift: HAVE a x; WITH a b; race a b; *win b a; *give a b x; ?thank b a; ?USE b x
blanket:    x:blanket: be_tired a; fall_asleep a; BRING b x; *cover b a x; wake a; thank a b
rescue:     x:rope: get_stuck a; BRING b x; *rescue b a x; thank a b
lost:       : get_lost a; WITH a b; *guide b a; thank a b; ?go_together a b q
comfort:    x:gift: HAVE a x; WITH a b; fall_down b; *comfort a b; *give a b x; ?thank b a
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One or several alternative moves: an action or a direction with its letters."""

    moves: tuple[tuple[str, ...], ...]
    optional: bool = False
    core: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A sequence of steps, with the traits that its cast must have."""

    name: str
    traits: dict[str, str]
    steps: tuple[Step, ...]


def _read_plots() -> tuple[Plot, ...]:
    rows = _TABLE.replace(";\n            ", "; ").splitlines()
    return tuple(_read_plot(row) for row in rows if row)


def _read_plot(row: str) -> Plot:
    name, rest = row.split(":", 1)
    cast, _, steps = rest.rpartition(": ")
    pairs = (word.split(":") for word in cast.split())
    traits = {letter: trait for letter, trait in pairs if trait}
    return Plot(name, traits, tuple(_read_step(step.strip()) for step in steps.split(";")))


def _read_step(text: str) -> Step:
    moves = tuple(tuple(move.split()) for move in text.lstrip("?*").split("/"))
    return Step(moves, optional=text.startswith("?"), core=text.startswith("*"))


PLOTS: tuple[Plot, ...] = _read_plots()
