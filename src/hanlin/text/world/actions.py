"""The actions of the toy world: who takes part, what must hold before, what holds after.

A row of the table reads `name: roles | needs | effects`.

* A role is a letter: `a` and `b` are actors, `x` and `y` things, `p` a place; `x:food` must have
  that trait, `+x` is brought into the story by the event, `b!` may be asleep, stuck or hidden. The
  first actor is the subject.
* A need or an effect speaks of fluents: `x.lender = b`, `a.race != b`. An unset fluent is `no`,
  and `here` is the place of the last event. Short forms: `x.open` (x.open = yes), `a happy`
  (a.mood = happy), `a has x` (x.where = a), `x at y` (x.where = y), `a at p` (a.place = p),
  `a by b` (a.place = b.place), `x near a` (x.where is `a` or a.place).

    python -m hanlin.text.world --seed 3
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["ACTIONS", "Action", "Effect", "Kind", "Need", "Role", "Term"]

Kind = Literal["opening", "middle", "ending"]

# Where the three kinds of sentence may stand: first, between, last.
_OPENINGS = """
be_at:         +a p                 |                                  | a at p, p.known
be_with:       +a p +x:portable     |                                  | a at p, a has x, p.known
be_meeting:    +a +x:portable p +b  |  |
                                     a at p, a has x, b at p, p.known
be_together:   +a +b p              |                                  | a at p, b at p, p.known
"""
_MIDDLES = """
join:          +a                   | here != no                       | a at here
join_with:     +a +x:portable       | here != no                       | a at here, a has x
meet:          a +b                 |                                  | b at a.place
see:           a +x                 |                                  | x at a.place
see_locked:    a +x:container       |                                  | x at a.place, x.locked
own:           a +x:portable        |                                  | a has x
buy:           a +x:portable p      | a at p                           | a has x

go:            a p                  | a.place != p                     | a at p, p.known
come_back:     a p                  | a.place != p, p.known            | a at p
go_together:   a b p                | a by b, a.place != p             | a at p, b at p, p.known
ride:          a x:vehicle p        | a has x, x.broken = no, a.place != p | a at p, p.known

pick_up:       a x:portable         | x at a.place                     | a has x
put_down:      a x p                | a has x, a at p                  | x at p
forget:        a x p                | a has x, a at p                  | x at p, x.missing
remember:      a x                  | x.missing, x.where != a.place    | a.mind = x
lose:          a x p                | a has x, a at p                  | x at p, x.missing, a sad
search:        a x                  | x.missing, a.seeks != x          | a.seeks = x
help_search:   a b x                | x.missing, b sad, a by b         | a.seeks = x
find:          a x p                | x.missing, x at p, a at p, x.hider != a |
                                     a has x, x.missing = no, x.hider = no, a happy
hide:          a x p                | a has x, a at p |
                                     x at p, x.missing, x.hider = a

want:          a x                  | x.where != a/gone, a.wants != x  | a.wants = x
ask_for:       a b x                | b has x, a by b, a.wants != x    | a.wants = x
refuse:        a b x                | b.wants = x, a has x             | b sad
give:          a b x                | a has x, a by b |
                                     b has x, b happy, b.owes = a
throw:         a b x:ball           | a has x, a by b                  | b has x
trade:         a b x y              | a has x, b has y, a by b |
                                     b has x, a has y, a happy, b happy
borrow:        a b x                | b has x, a by b |
                                     a has x, x.lender = b, a.owes = b
lend:          a b x                | a has x, a by b |
                                     b has x, x.lender = a, b.owes = a
return:        a b x                | a has x, x.lender = b, a by b |
                                     b has x, x.lender = no, b happy
sell:          a b x                | a has x, a by b                  | b has x
show:          a b x                | a has x, a by b, b.seen != x     | b.seen = x
tell:          a b x p              | x at p, a by b, b.seen != x      | b.seen = x
thank:         a b                  | a.owes = b                       | a.owes = no
snatch:        a b x                | b has x, a by b |
                                     a has x, x.lender = b, b sad, a.wronged = b
apologise:     a b                  | a.wronged = b, a by b            | a.wronged = no, b.heard = a
forgive:       a b                  | a.heard = b                      | a.heard = no, b happy

open:          a x:container        | x.open = no, x.locked = no, x near a | x.open
close:         a x:container        | x.open, x near a                 | x.open = no
unlock:        a x:key y:container  | a has x, y.locked, y near a      | y.locked = no
discover:      a +x:portable y:container | y.open, y near a                 | x at y
put_in:        a x:portable y:container | a has x, y.open, y near a        | x at y
take_out:      a x y:container      | x at y, y.open, y near a         | a has x

be_hungry:     a                    | a.hunger = no                    | a.hunger = hungry
eat:           a x:food             | a has x, a.hunger = hungry |
                                     x at gone, a.hunger = full, a happy
be_full:       a                    | a.hunger = full                  | a.hunger = content
feed:          a b:animal x:food    | a has x, b.hunger = hungry, a by b |
                                     x at gone, b.hunger = full, b.owes = a, b happy
share:         a b x:food           | a has x, a by b                  | x at gone, a happy, b happy
be_thirsty:    a                    | a.thirst = no                    | a.thirst = thirsty
drink:         a x:drink            | a has x, a.thirst = thirsty |
                                     x at gone, a.thirst = quenched, a happy
be_quenched:   a                    | a.thirst = quenched              | a.thirst = content
cook:          a x:ingredient +y:dish p:kitchen | a has x, a at p |
                                     x at gone, a has y

get_dirty:     a x:portable         | a has x, x.dirty = no            | x.dirty, a sad
wash:          a x:portable         | a has x, x.dirty                 | x.dirty = no, a happy
get_wet:       a x:portable         | a has x, x.wet = no              | x.wet, a sad
dry:           a x:portable         | a has x, x.wet                   | x.wet = no, a happy
break:         a x:portable         | a has x, x.broken = no           | x.broken, a sad
repair:        a x:portable         | a has x, x.broken                | x.broken = no, a happy
repair_with:   a x:portable y:tool  | a has x, x.broken, a has y       | x.broken = no, a happy
repair_for:    a b x:portable       | b has x, x.broken, a by b |
                                     x.broken = no, b happy, b.owes = a
ask_help:      a b                  | a sad, a by b                    | a.helper = b
comfort:       a b                  | b sad, a by b                    | b calm, b.owes = a
sweep:         a x:broom p          | a has x, a at p, p.swept = no    | p.swept

play:          a x:toy              | a has x, x.broken = no, a.fun != x | a.fun = x, a happy
play_together: a b x:toy            | a has x, x.broken = no, a by b |
                                     a.fun = x, b.fun = x, a happy, b happy
read:          a x:book             | a has x, a.knows != x            | a.knows = x
read_letter:   a x:letter           | a has x, a.knows != x            | a.knows = x
read_to:       a b x:book           | a has x, a by b, b.knows != x    | b.knows = x
be_cold:       a                    | a.cold = no                      | a.cold
wear:          a x:clothes          | a has x, x.worn = no, x.dirty = no, x.wet = no |
                                     x.worn, a.cold = warm
put_on:        a x:headwear         | a has x, x.worn = no, x.dirty = no, x.broken = no |
                                     x.worn, a.cold = warm
be_warm:       a                    | a.cold = warm                    | a.cold = past
perform:       a x:instrument       | a has x, x.broken = no, a.stage != x | a.stage = x
applaud:       a b                  | b.stage != no, a by b            | b.stage = no, b happy
teach:         a b x:instrument     | a has x, a by b, b.skill != x    | b.skill = x
be_dark:       a                    | a.dark = no                      | a.dark
light:         a x:light            | a has x, x.lit = no, x.broken = no | x.lit, a.dark = over
see_again:     a                    | a.dark = over                    | a.dark = past
draw:          a x:pen +y:art       | a has x, x.broken = no           | a has y
write:         a x:pen +y:letter    | a has x, x.broken = no           | a has y
mail:          a b x:letter         | a has x                          | x at post, x.to = b
receive:       a x:letter           | x.to = a                         | a has x, x.to = no, a happy
craft:         a x:material +y:product | a has x                          | x at gone, a has y

plant:         a x:seed p:soil      | a has x, a at p                  | x at p, x.growth = planted
water:         a x:seed             | x.growth = planted, x at a.place |
                                     x.growth = watered, a.grows = x
grow:          x:seed               | x.growth = watered               | x.growth = grown
pick:          a +x:flower p:soil   | a at p                           | a has x
get_rained_on: a                    | a.rain = no                      | a.rain
put_up:        a x:umbrella         | a has x, a.rain, x.broken = no   | a.rain = over
shelter:       a b x:umbrella       | a has x, b.rain, a by b, x.broken = no |
                                     b.rain = over, b.owes = a, b happy
swim:          a p:water            | a at p, a.wet = no               | a.wet
dry_off:       a x:towel            | a has x, a.wet                   | a.wet = dry
fish:          a +x:fish p:water    | a at p                           | a has x
release:       a x:fish             | a has x                          | x at gone
dig_up:        a x:spade +y:portable p:soil | a has x, a at p                  | a has y, a happy

race:          a b                  | a by b, a.race != b              | a.race = b, b.race = a
win:           a b                  | a.race = b |
                                     a.race = won, b.race = lost, b.lost_to = a, a happy
congratulate:  a b                  | a.lost_to = b                    | a.lost_to = no
be_tired:      a                    | a.sleep = no                     | a.sleep = tired
fall_asleep:   a                    | a.sleep = tired                  | a.sleep = asleep
wake:          a!                   | a.sleep = asleep                 | a.sleep = rested, a happy
rouse:         a b!                 | b.sleep = asleep, a by b         | b.sleep = rested
cover:         a b! x:blanket       | b.sleep = asleep, a has x, a by b | b has x, b.owes = a
fall_down:     a                    | a.hurt = no                      | a.hurt, a sad
help_up:       a b                  | b.hurt, a by b |
                                     b.hurt = over, b.owes = a, b happy
get_stuck:     a                    | a.stuck = no                     | a.stuck
rescue:        a b! x:rope          | b.stuck, a has x, a by b |
                                     b.stuck = over, b.owes = a, b happy
get_lost:      a                    | a.way = no                       | a.way = lost
guide:         a b                  | b.way = lost, a by b |
                                     b.way = found, b.owes = a, b happy
use_map:       a x:map              | a.way = lost, a has x            | a.way = found, a happy
hide_self:     a                    | a.hidden = no                    | a.hidden
catch:         a b!                 | b.hidden, a by b                 | b.hidden = over, a happy
have_birthday: a                    | a.birthday = no                  | a.birthday
bless:         a b                  | b.birthday, a by b, a.blessed != b | a.blessed = b, b happy
photograph:    a b x:camera         | a has x, x.broken = no, a by b, b.photo = no |
                                     b.photo, b.owes = a, b happy
cry:           a                    | a sad                            | a.tears
be_sad:        a                    | a sad                            | a.said = sad
be_happy:      a                    | a.mood != sad                    | a happy, a.said = happy
part:          a b                  | a by b                           | a.parted = b
"""
_ENDINGS = """
go_home:       a                    | a.mood != sad                    | a at home
go_home_two:   a b                  | a by b                           | a at home, b at home
take_home:     a x                  | a has x                          | a at home
keep:          a x                  | a has x                          | x.kept
all_happy:     a b                  | a.mood != sad, b.mood != sad |
                                     a.said = happy, b.said = happy
become_friends:a b                  | a by b, a.mood != sad, b.mood != sad |
                                     a.friend = b, b.friend = a
stay_at:       x p                  | x at p                           | x.kept
stay_in:       x y                  | x at y                           | x.kept
"""


@dataclass(frozen=True, slots=True)
class Role:
    """A place in an event for one entity."""

    letter: str
    trait: str = ""
    introduces: bool = False
    bound: bool = False
    """Whether its actor may be asleep, stuck or hidden."""

    @property
    def is_actor(self) -> bool:
        """Whether an actor fills it."""
        return self.letter in "ab"

    @property
    def is_place(self) -> bool:
        """Whether a place fills it."""
        return self.letter == "p"


@dataclass(frozen=True, slots=True)
class Term:
    """A value: a constant, the key of a role's entity, or a fluent of it or of the story."""

    role: int = -1
    fluent: str = ""
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """A fluent and the values that it must, or must not, have; `role` -1 is the story itself."""

    role: int
    fluent: str
    equal: bool
    values: tuple[Term, ...]

    @property
    def is_loose(self) -> bool:
        """Whether nothing need have happened for it (`no`), or any common place will do."""
        unset = any(term.constant == "no" for term in self.values)
        return unset or (self.fluent == "place" and any(term.fluent for term in self.values))


@dataclass(frozen=True, slots=True)
class Effect:
    """A fluent and the value that it gets."""

    role: int
    fluent: str
    value: Term


@dataclass(frozen=True, slots=True)
class Action:
    """What an event does: its roles, its preconditions and its effects."""

    name: str
    kind: Kind
    roles: tuple[Role, ...]
    needs: tuple[Need, ...]
    effects: tuple[Effect, ...]
    subject: int | None
    """The index of the first actor among the roles."""


def _read_table(kind: Kind, table: str) -> dict[str, Action]:
    rows = re.sub(r"([|,])\n\s+", r"\1 ", table).strip().splitlines()
    return {row.split(":")[0]: _read_row(kind, row) for row in rows if row}


def _read_row(kind: Kind, row: str) -> Action:
    name, _, rest = row.partition(":")
    roles_text, needs_text, effects_text = rest.split("|")
    roles = tuple(_read_role(word) for word in roles_text.split())
    letters = [role.letter for role in roles]
    effects = [_read_fact(fact, letters) for fact in _facts(effects_text)]
    return Action(
        name=name,
        kind=kind,
        roles=roles,
        needs=tuple(_read_fact(fact, letters) for fact in _facts(needs_text)),
        effects=tuple(Effect(fact.role, fact.fluent, fact.values[0]) for fact in effects),
        subject=next((i for i, role in enumerate(roles) if role.is_actor), None),
    )


def _read_role(word: str) -> Role:
    letter, _, trait = word.strip("+!").partition(":")
    return Role(letter, trait, introduces=word.startswith("+"), bound="!" in word)


def _facts(text: str) -> list[str]:
    return [fact.strip() for fact in text.split(",") if fact.strip()]


def _read_fact(text: str, letters: list[str]) -> Need:
    left, verb, right = _written_out(text).split()
    letter, _, fluent = left.partition(".")
    role = letters.index(letter) if fluent else -1
    values = tuple(_read_term(word, letters) for word in right.split("/"))
    return Need(role, fluent or left, verb == "=", values)


def _written_out(fact: str) -> str:
    left, *rest = fact.split()
    match rest:
        case ["has", thing]:
            return f"{thing}.where = {left}"
        case ["by", other]:
            return f"{left}.place = {other}.place"
        case ["near", actor]:
            return f"{left}.where = {actor}/{actor}.place"
        case ["at", place]:
            return f"{left}.{'place' if left in 'ab' else 'where'} = {place}"
        case []:
            return f"{left} = yes"
        case [mood]:
            return f"{left}.mood = {mood}"
    return fact


def _read_term(word: str, letters: list[str]) -> Term:
    letter, _, fluent = word.partition(".")
    if letter in letters:
        return Term(letters.index(letter), fluent)
    return Term(fluent="here") if word == "here" else Term(constant=word)


ACTIONS: dict[str, Action] = (
    _read_table("opening", _OPENINGS)
    | _read_table("middle", _MIDDLES)
    | _read_table("ending", _ENDINGS)
)
