"""Tokenizers, n-grams, transforms, BLEU, data sets of texts."""
import io
import tarfile
import zipfile

import pytest

import flambeau as torch
from flambeau.text import data, datasets, functional as F, transforms as T
from flambeau.text.vocab import Vocab
from flambeau.utils.data import DataLoader


@pytest.mark.parametrize("text, tokens", [
    ("You can now install TorchText using pip!", "you can now install torchtext using pip !"),
    ("It's \"good\", isn't it?", "it ' s good , isn ' t it ?"), ("a.b;c: (d)<br />e\n\tf", "a . b c ( d ) e f")])
def test_basic_english(text, tokens):
    assert data.get_tokenizer("basic_english")(text) == tokens.split()


def test_tokenizers():
    assert data.get_tokenizer(None)("A b,\nc") == ["A", "b,", "c"]
    assert data.get_tokenizer(list)("ab") == ["a", "b"]
    with pytest.raises(ValueError, match="Requested tokenizer x, valid choices"):
        data.get_tokenizer("x")
    with pytest.raises(ValueError, match="only available for Enlish"):
        data.get_tokenizer("basic_english", "de")


def test_ngrams():
    assert list(data.ngrams_iterator(["here", "we", "are"], 2)) == ["here", "we", "are", "here we", "we are"]
    assert list(data.ngrams_iterator(["a", "b", "c"], 3))[-1] == "a b c"


def test_iterables():
    words = Vocab(["a", "b", "c"])
    numbers = data.numericalize_tokens_from_iterator(words, data.simple_space_split(["a c", "b"]), removed_tokens=["a"])
    assert [list(row) for row in numbers] == [[2], [1]]
    assert list(data.custom_replace([(r"S", "s"), (r"\s+", " ")])(["Sos   S"])) == ["sos s"]
    mapped = data.to_map_style_dataset(iter("abc"))
    assert len(mapped) == 3 and mapped[1] == "b"
    torch.manual_seed(0)
    assert sorted(sum(DataLoader(mapped, batch_size=2, shuffle=True), [])) == ["a", "b", "c"]


def test_bleu():
    candidates = [["My", "full", "pytorch", "test"], ["Another", "Sentence"]]
    references = [[["My", "full", "pytorch", "test"], ["Completely", "Different"]], [["No", "Match"]]]
    assert data.bleu_score(candidates, references) == pytest.approx(0.8408964276313782, abs=1e-6)
    assert data.bleu_score([["a", "b"]], [[["c"]]]) == 0.0
    # one reference longer than the candidate: precision 1, brevity exp(1 - 5/4)
    longer = data.bleu_score([list("abcd")], [[list("abcde")]])
    assert longer == pytest.approx(2.718281828 ** (1 - 5 / 4))
    with pytest.raises(AssertionError):
        data.bleu_score(candidates, references[:1])


def test_functional():
    assert F.to_tensor([[1, 2], [3]], padding_value=0).tolist() == [[1, 2], [3, 0]]
    assert F.to_tensor([1, 2]).dtype == torch.int64 and F.to_tensor([[1], [2]], dtype=torch.int32).dtype == torch.int32
    assert F.truncate([["a", "b"], ["c"]], 1) == [["a"], ["c"]] and F.truncate([1, 2, 3], 2) == [1, 2]
    assert F.add_token([1, 2], 0) == [0, 1, 2] and F.add_token([["a"], []], "z", begin=False) == [["a", "z"], ["z"]]
    assert F.str_to_int(["1", "2"]) == [1, 2] and F.str_to_int([["1"], ["2", "3"]]) == [[1], [2, 3]]
    for call in (lambda: F.to_tensor("x"), lambda: F.truncate(3, 1), lambda: F.add_token(["a"], 1),
                 lambda: F.str_to_int([1])):
        with pytest.raises(TypeError, match="Input type not supported"):
            call()


def test_transforms():
    words = Vocab(["<pad>", "<s>", "a", "b"])
    pipeline = T.Sequential(T.VocabTransform(words), T.Truncate(2), T.AddToken(1), T.ToTensor(0), T.PadTransform(5, 0))
    assert pipeline([["a", "b", "a"], ["b"]]).tolist() == [[1, 2, 3, 0, 0], [1, 3, 0, 0, 0]]
    labels = T.LabelToIndex(["good", "bad"], sort_names=True)
    assert labels("bad") == 0 and labels(["good", "bad"]) == [1, 0] and labels.label_names == ["bad", "good"]
    assert T.RegexTokenizer([(r",", " , ")])("a,b") == ["a", ",", "b"]
    assert T.StrToIntTransform()(["7"]) == [7]


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror with tiny archives of the sets."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("FLAMBEAU_MIRROR", str(folder))

    def put(name, files):
        files = {key: value.encode() for key, value in files.items()}
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as archive:
                for key, value in files.items():
                    archive.writestr(key, value)
        elif name.endswith(".gz"):
            with tarfile.open(folder / name, "w:gz") as archive:
                for key, value in files.items():
                    info = tarfile.TarInfo(key)
                    info.size = len(value)
                    archive.addfile(info, io.BytesIO(value))
        else:
            (folder / name).write_bytes(files[name])
        import hashlib
        with open(folder / "SHA256SUMS", "a") as sums:
            sums.write(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n")
    return put


CSV = '"3","Wall St. ""Bears""","Short-sellers, again"\n"4","Title","Text"\n'
SAMPLES = [(3, 'Wall St. "Bears" Short-sellers, again'), (4, "Title Text")]


@pytest.mark.parametrize("name, archive, files, split, samples", [
    ("AG_NEWS", "train.csv", {"train.csv": CSV}, "train", SAMPLES),
    ("DBpedia", "dbpedia_csv.tar.gz", {"dbpedia_csv/train.csv": "", "dbpedia_csv/test.csv": CSV}, "test", SAMPLES),
    ("YelpReviewFull", "yelp_review_full_csv.tar.gz", {"yelp_review_full_csv/train.csv": CSV}, "train", SAMPLES),
    ("IMDB", "aclImdb_v1.tar.gz", {"aclImdb/train/pos/0_9.txt": "great", "aclImdb/train/neg/0_1.txt": "bad\nfilm",
                                   "aclImdb/train/unsup/0_0.txt": "?"}, "train", [(1, "bad\nfilm"), (2, "great")]),
    ("SST2", "SST-2.zip", {"SST-2/dev.tsv": "sentence\tlabel\nit 's fine \t1\nno \t0\n"}, "dev",
     [("it 's fine", 1), ("no", 0)]),
    ("SST2", "SST-2.zip", {"SST-2/test.tsv": "index\tsentence\n0\thm \n"}, "test", [("hm",)]),
    ("CoLA", "cola_public_1.1.zip", {"cola_public/raw/in_domain_train.tsv": 'x\t0\t\tx\ngj04\t1\t\tHe said "so.\n'},
     "train", [("gj04", 1, 'He said "so.')]),
    ("WikiText2", "wikitext-2-v1.zip", {"wikitext-2/wiki.valid.tokens": " \n = A = \n"}, "valid",
     [" \n", " = A = \n"]),
    ("PennTreebank", "ptb.test.txt", {"ptb.test.txt": " no it was n't \n x \n"}, "test", ["no it was n't", "x"]),
    ("EnWik9", "enwik9.zip", {"enwik9": "<a>\nb\n"}, "train", ["<a>", "b"]),
])
def test_sets(name, archive, files, split, samples, mirror, tmp_path):
    mirror(archive, files)
    texts = getattr(datasets, name)(tmp_path / "root", split)
    assert list(texts) == samples == list(texts)  # as often as one likes
    if len(samples) > 1:
        loader = DataLoader(texts, batch_size=None, num_workers=2, worker="thread", collate_fn=tuple)
        assert sorted(loader) == sorted(map(tuple, samples))  # each sample once


def test_several_splits(mirror, tmp_path):
    for split in ("train", "test"):
        mirror(f"{split}.csv", {f"{split}.csv": CSV})
    train, test = datasets.AG_NEWS(tmp_path)
    assert list(train) == list(test) and repr(test) == "AG_NEWS(split='test')"
    assert len(datasets.AG_NEWS(tmp_path, ("test",))) == 1
    with pytest.raises(ValueError, match="split 'dev' is not one of"):
        datasets.AG_NEWS(tmp_path, "dev")


def test_what_is_missing_is_named(mirror, tmp_path):
    mirror("x.csv", {"x.csv": ""})
    with pytest.raises(RuntimeError, match="does not have train.csv"):
        datasets.AG_NEWS(tmp_path, "train")
