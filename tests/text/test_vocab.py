"""Vocabularies and word vectors."""
import copy
import pickle
from collections import OrderedDict

import pytest

import flambeau as torch
from flambeau.text.vocab import GloVe, Vectors, Vocab, build_vocab_from_iterator, pretrained_aliases, vocab

TEXTS = [["the", "cat", "sat"], ["the", "dog", "sat"], ["a", "cat"]]


def test_order_is_by_frequency_then_alphabet():
    built = build_vocab_from_iterator(iter(TEXTS), specials=["<unk>", "<pad>"])
    assert built.get_itos() == ["<unk>", "<pad>", "cat", "sat", "the", "a", "dog"]
    assert built.get_stoi()["the"] == 4 and len(built) == 7 and "dog" in built and "bird" not in built
    assert build_vocab_from_iterator(TEXTS, specials=["<unk>"], special_first=False).get_itos()[-1] == "<unk>"
    assert build_vocab_from_iterator(TEXTS, min_freq=2).get_itos() == ["cat", "sat", "the"]
    assert build_vocab_from_iterator(TEXTS, specials=["<unk>"], max_tokens=3).get_itos() == ["<unk>", "cat", "sat"]
    with pytest.raises(AssertionError, match="entirely special tokens"):
        build_vocab_from_iterator(TEXTS, specials=["a", "b"], max_tokens=2)


def test_counted_tokens():
    counts = OrderedDict([("b", 4), ("<unk>", 1), ("a", 9), ("c", 1)])
    assert vocab(counts, min_freq=2, specials=["<unk>"]).get_itos() == ["<unk>", "b", "a"]
    assert list(counts) == ["b", "<unk>", "a", "c"]  # torchtext takes the specials out of the caller's dict


def test_lookups():
    words = Vocab(["x", "y", "z"])
    assert isinstance(words, torch.nn.Module) and words(["z", "x"]) == [2, 0] and words["y"] == 1
    assert words.lookup_tokens([0, 2]) == ["x", "z"] and words.lookup_token(1) == "y"
    with pytest.raises(RuntimeError, match="Token w not found and default index is not set"):
        words["w"]
    with pytest.raises(RuntimeError, match="Specified index 3 is out of bounds for vocab of size 3"):
        words.lookup_token(3)
    assert words.get_default_index() is None
    words.set_default_index(0)
    assert words["w"] == 0 and words(["w", "y"]) == [0, 1] and words.get_default_index() == 0


def test_new_tokens():
    words = Vocab(["x", "y"])
    words.insert_token("w", 1)
    words.append_token("z")
    assert words.get_itos() == ["x", "w", "y", "z"] and words(["y", "z", "w"]) == [2, 3, 1]
    with pytest.raises(RuntimeError, match="Token w already exists in the Vocab with index: 1"):
        words.append_token("w")
    with pytest.raises(RuntimeError, match="out of bounds"):
        words.insert_token("v", 9)
    with pytest.raises(RuntimeError, match="Duplicate token found in tokens list: a"):
        Vocab(["a", "a"])


def test_copies():
    words = Vocab(["x", "y"])
    words.set_default_index(1)
    for other in (copy.deepcopy(words), pickle.loads(pickle.dumps(words))):
        assert other.get_itos() == ["x", "y"] and other["?"] == 1


def test_vectors(tmp_path):
    (tmp_path / "v.txt").write_text("3 2\nhello 1.0 2.0\nWorld 0.5 -1\nworld 3 4\nhello 9 9\n", encoding="utf-8")
    vectors = Vectors("v.txt", cache=str(tmp_path))
    assert vectors.itos == ["hello", "World", "world"] and vectors.dim == 2 and len(vectors) == 3
    assert vectors["world"].tolist() == [3, 4] and vectors["?"].tolist() == [0, 0] and "World" in vectors
    assert vectors.get_vecs_by_tokens(["hello", "WORLD"], lower_case_backup=True).tolist() == [[1, 2], [3, 4]]
    assert vectors.get_vecs_by_tokens("hello").shape == (2,)
    assert len(Vectors(str(tmp_path / "v.txt"), max_vectors=2)) == 2
    assert Vectors("v.txt", cache=str(tmp_path), unk_init=lambda t: t + 7)["?"].tolist() == [7, 7]
    with pytest.raises(RuntimeError, match="no vectors found at"):
        Vectors("w.txt", cache=str(tmp_path))


def test_vectors_of_different_lengths(tmp_path):
    (tmp_path / "v.txt").write_text("a 1 2\nb 1 2 3\n")
    with pytest.raises(RuntimeError, match="Vector for token 'b' has 3 dimensions"):
        Vectors(str(tmp_path / "v.txt"))


def test_glove(tmp_path):
    (tmp_path / "glove.6B.50d.txt").write_text("the " + " ".join(map(str, range(50))) + "\n")
    assert GloVe("6B", 50, cache=str(tmp_path))["the"][49] == 49
    assert pretrained_aliases["glove.6B.50d"](cache=str(tmp_path)).dim == 50
