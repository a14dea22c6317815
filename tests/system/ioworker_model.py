"""What an IOWorker has to send, command by command: a second implementation, from the documentation
of its parameters and of its order of drawing, sharing no code with the first one.
"""

from math import gcd

MASK = 2**64 - 1
FLUSH = 0
DEFAULT_ALIGN_BYTES = 4096


class Xoshiro256:
    """xoshiro256**, seeded by splitmix64, as published."""

    def __init__(self, seed):
        self.s = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = seed
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
            z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
            self.s.append(z ^ z >> 31)

    @staticmethod
    def rotl(x, k):
        return (x << k | x >> 64 - k) & MASK

    def next(self):
        s = self.s
        result = self.rotl(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 17 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = self.rotl(s[3], 45)
        return result

    def below(self, bound):
        return self.next() * bound >> 64


class Deck:
    """Deals index i as often as ratios[i] says, in an order that a Fisher-Yates shuffle makes."""

    def __init__(self, ratios):
        divisor = gcd(*ratios)
        self.cards = [i for i, ratio in enumerate(ratios) for _ in range(ratio // divisor)]
        self.dealt = 0

    def draw(self, rng):
        if len(self.cards) == 1:
            return self.cards[0]
        left = len(self.cards) - self.dealt
        if left > 1:
            other = self.dealt + rng.below(left)
            cards = self.cards
            cards[self.dealt], cards[other] = cards[other], cards[self.dealt]
        card = self.cards[self.dealt]
        self.dealt = (self.dealt + 1) % len(self.cards)
        return card


def first_worker_seed(seed):
    """The seed of the first IOWorker that is made after srand(seed)."""
    return Xoshiro256(seed).next()


def commands(
    worker_seed,
    capacity,
    io_size=8,
    lba_step=None,
    lba_align=None,
    lba_random=True,
    read_percentage=100,
    op_percentage=None,
    region_start=0,
    region_end=MASK,
    lba_start=0,
    distribution=None,
    one_pass=False,
    lba_bytes=512,
):
    """Yield (slba, nlb, opcode), for ever or for one pass."""
    rng = Xoshiro256(worker_seed)
    end = min(region_end, capacity)
    if isinstance(io_size, dict):
        sizes = dict(io_size)
    elif isinstance(io_size, int):
        sizes = {io_size: 1}
    else:
        sizes = {}
        for nlb in io_size:
            sizes[nlb] = sizes.get(nlb, 0) + 1
    aligns = lba_align if isinstance(lba_align, list) else [lba_align] * len(sizes)
    assert len(aligns) == len(sizes)
    per_cent = 100 if lba_random is True else int(lba_random)
    mix = op_percentage or {2: read_percentage, 1: 100 - read_percentage}
    mix = {opcode: percent for opcode, percent in mix.items() if percent}
    opcodes, nlbs = list(mix), list(sizes)
    opcode_deck = Deck(list(mix.values()))
    size_deck = Deck(list(sizes.values()))
    random_deck = Deck([per_cent, 100 - per_cent])
    section_deck = Deck(distribution or [1])

    def places(low, high, nlb, align):
        """Aligned addresses in [low, high) of IOs that end in the region."""
        first = -(-low // align) * align
        last = min(high - 1, end - nlb)
        return range(first, last + 1, align)

    def random_places(nlb, align, low=region_start, high=end):
        if align is not None:
            return places(low, high, nlb, align)
        align = min(nlb, max(DEFAULT_ALIGN_BYTES // lba_bytes, 1))
        if not places(region_start, end, nlb, align):
            align = 1
        return places(low, high, nlb, align)

    lbas = end - region_start
    boundary = [region_start + lbas * i // 100 for i in range(101)]
    down = lba_step is not None and lba_step < 0
    cursor = lba_start if region_start <= lba_start < end else region_start
    if one_pass and down and cursor == region_start:
        align = aligns[0] or 1
        cursor = (end - nlbs[0]) // align * align

    while True:
        opcode = opcodes[opcode_deck.draw(rng)]
        if opcode == FLUSH:
            yield 0, 0, FLUSH
            continue
        index = size_deck.draw(rng)
        nlb, align = nlbs[index], aligns[index]
        if random_deck.draw(rng) == 0:
            here = random_places(nlb, align)
            if distribution:
                section = section_deck.draw(rng)
                here = random_places(nlb, align, boundary[section], boundary[section + 1])
            yield here[rng.below(len(here))], nlb, opcode
            continue
        step = align or 1
        slba = cursor // step * step if down else -(-cursor // step) * step
        if not region_start <= slba <= end - nlb:
            if one_pass:
                low, high = max(slba, region_start), min(slba + nlb, end)
                if low < high:
                    yield low, high - low, opcode
                return
            lowest, highest = -(-region_start // step) * step, (end - nlb) // step * step
            slba = highest if down else lowest
        yield slba, nlb, opcode
        cursor = slba + (nlb if lba_step is None else lba_step)
