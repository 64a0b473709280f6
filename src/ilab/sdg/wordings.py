"""Say a question in other words: everyday English words that may stand for one another in questions about facts.

Each line of the table is a set of words of the same form; one takes the place of another without any other change to
the sentence. Names are never touched, because only words in small letters are looked up.
"""

from __future__ import annotations

import re
from zlib import crc32

_TABLE = """
discovered | found | detected
established | founded | created | set up
observed | seen | noticed
located | situated | to be found
published | issued | brought out
released | brought out | made available
depicted | shown | portrayed
introduced | brought in | added
adopted | accepted | agreed on
announced | made public | made known
composed | made up
bordered | bounded
built | constructed | erected
invented | devised | thought up
written | authored | penned
opened | started up
closed | shut
elected | voted in
appointed | chosen
produced | made | turned out
thought | believed | assumed
suspected | believed | thought
estimated | reckoned | judged
involved | caught up
absorbed | swallowed | taken in
defined | fixed | laid down
described | characterised
designed | drawn up | planned
destroyed | wiped out
charted | mapped | recorded
noted | remarked | pointed out
included | listed | put
appeared | turned up | was shown
began | started
begin | start
begins | starts
ended | finished | came to an end
contains | holds | includes
contain | hold | include
completes | finishes | makes
complete | finish | make
produces | makes | yields
producing | making | turning out
requires | needs | calls for
require | need | call for
allows | permits | lets
prevents | stops | rules out
shows | displays | presents
peaks | is strongest | reaches its height
peak | reach its height
occurs | happens | takes place
occurred | happened | took place
grew | increased | rose
fell | dropped | went down
stretches | extends | reaches
stretch | extend | reach
remains | stays
lies | sits | is situated
lie | sit
flows | runs
measured | recorded
largest | biggest | greatest
larger | bigger | greater
smallest | tiniest
small | little
gigantic | huge | enormous
brightest | most luminous | most brilliant
nearby | close by | in the vicinity
near | close to | next to
adjacent | adjoining | next-door
neighbouring | adjoining | next-door
annual | yearly
famous | well-known | renowned
important | major | significant
intense | strong | active
particularly | especially | unusually
visible | in view | to be seen
entire | whole
rapid | fast | quick
official | formal
officially | formally
sometimes | now and then | at times
often | frequently
usually | normally | as a rule
roughly | about
together | jointly | as a pair
several | a number of
firm | company
method | way | technique
region | area
"""


def _sets() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _TABLE.strip().splitlines():
        words = [word.strip() for word in line.split("|")]
        for word in words:
            found.setdefault(word, []).extend(other for other in words if other != word)
    return found


_OTHERS = _sets()
_WORD = re.compile(r"(?<![\w-])[a-z]+(?![\w-])")


def reworded(question: str, *, turn: int = 0) -> str:
    """`question` with every known word replaced by another of its set; empty when it has none.

    The choice is fixed by the question and `turn`; other turns choose other words where there are some.
    """
    start = crc32(question.encode()) + turn

    def other(match: re.Match[str]) -> str:
        words = _OTHERS.get(match.group(0))
        return words[(start + match.start()) % len(words)] if words and match.start() else match.group(0)

    said = _WORD.sub(other, question)
    return said if said != question else ""
