"""Networks of several random seeds, and the controls of guided training: names and cards of the single ones.

NAME@3 is the third seed of a card, NAME~shuffled one of its controls, NAME~shuffled@3 the third seed of that.
The first seed is called after its card, so that results stay where they are when seeds are added.
"""

from __future__ import annotations

SIGN = "@"
CONTROL = "~"


def networks_of(name: str, card: dict) -> dict[str, dict]:
    """Cards of a network's seeds by name: NAME, NAME@2 ...

    Parameters
    ----------
    name : of the card
    card : from `cards.load_card`; its seed is the first, further ones count up from it
    """
    found = {name: card}
    for k in range(2, card["seeds"] + 1):
        kind = "training" if "training" in card["weights"] else "random"
        settings = card["weights"][kind]
        seeded = settings | {"seed": settings["seed"] + k - 1}
        found[f"{name}{SIGN}{k}"] = card | {"weights": card["weights"] | {kind: seeded}}
    return found


def card_of(network: str) -> str:
    """Name of the card of one of its seeds; a control counts as a card of its own."""
    return network.partition(SIGN)[0]


def seed_of(network: str) -> int:
    """Which of its card's seeds a network is, from 1."""
    return int(network.partition(SIGN)[2] or 1)


def file_of(network: str) -> str:
    """Name of the file in resources/models that says what a network is: that of its controls too."""
    return card_of(network).partition(CONTROL)[0]


def control_of(network: str) -> str | None:
    """Which control of guided training a network is; None: none."""
    return card_of(network).partition(CONTROL)[2] or None


def holder_of_weights(network: str, card: dict) -> str:
    """The network whose weights one has: itself, or the one that it is a variant of, of the same seed."""
    base = card.get("variant_of")
    return network if base is None else base + network.removeprefix(card_of(network))


def variants_of(models: dict[str, dict]) -> dict[str, str]:
    """Name of the network whose weights each variant has, by its own: of cards by name."""
    return {name: model["variant_of"] for name, model in models.items() if "variant_of" in model}


def by_card(networks: dict) -> dict[str, list]:
    """What is known of single seeds, in the order of the seeds, by card."""
    found: dict[str, list] = {}
    for network in sorted(networks, key=lambda name: (card_of(name), seed_of(name))):
        found.setdefault(card_of(network), []).append(networks[network])
    return found
