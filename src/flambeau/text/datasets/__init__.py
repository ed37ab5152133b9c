"""Texts for classification and language models, in the official files; see `_sets` for where they come from.

`NAME(root, split)` is an iterable of samples, read from files below `root/datasets/NAME` that are downloaded if they
are not there (FLAMBEAU_MIRROR works as for images); for several splits a tuple of iterables.
"""
from ._sets import (AG_NEWS, IMDB, SST2, AmazonReviewFull, AmazonReviewPolarity, CoLA, DBpedia, EnWik9, PennTreebank,
                    SogouNews, WikiText2, WikiText103, YahooAnswers, YelpReviewFull, YelpReviewPolarity)

DATASETS = {function.__name__: function for function in (
    AG_NEWS, AmazonReviewFull, AmazonReviewPolarity, CoLA, DBpedia, EnWik9, IMDB, PennTreebank, SST2, SogouNews,
    WikiText103, WikiText2, YahooAnswers, YelpReviewFull, YelpReviewPolarity)}

__all__ = list(DATASETS)
