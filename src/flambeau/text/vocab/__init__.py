"""Vocabularies: tokens and their numbers; see `vocab`."""
from .vectors import GloVe, Vectors, pretrained_aliases
from .vocab import Vocab
from .vocab_factory import build_vocab_from_iterator, vocab

__all__ = ["GloVe", "Vectors", "Vocab", "build_vocab_from_iterator", "pretrained_aliases", "vocab"]
