"""RSA keys that can be factored although they are long: those of Infineon's library (ROCA, CVE-2017-15361).

Their primes are `k·M + (65537^a mod M)` with M a product of the first primes, so that modulo each of those primes the
modulus is a power of 65537 (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §3.3). By chance that is so
for one key in 2^27 or more.
"""

from typing import Final

_GENERATOR: Final = 65537
_PRIMES: Final = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107),
    *(109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)


def _powers(prime: int) -> frozenset[int]:
    return frozenset(pow(_GENERATOR, exponent, prime) for exponent in range(prime - 1))


_POWERS: Final = tuple((prime, _powers(prime)) for prime in _PRIMES)


def has_roca_fingerprint(modulus: int) -> bool:
    """Whether an RSA modulus looks like one of that library's."""
    return all(modulus % prime in powers for prime, powers in _POWERS)
