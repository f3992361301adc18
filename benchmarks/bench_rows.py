"""What a row of bench.py is."""
import importlib.util
from dataclasses import dataclass

import torch

PACKAGES = dict(faiss='faiss-cpu', pytorch_metric_learning='pytorch-metric-learning') # Where the names differ


@dataclass(frozen=True)
class Row:
    "One comparison."
    what:str # What is done
    reference:str # What ours is compared with
    goals:dict # Ratio that is asked for of each measure
    run:object # A function of a `Setup` that gives `measures`, `answers`, and what else is known
    unit:str = 'calls' # What is counted …
    needs:tuple = () # Modules without which there is no reference
    gpu:bool = False # Whether it takes one


ROWS = {}

def row(name, what, reference, unit='calls', needs=(), gpu=False, **goals):
    "Declare a function to be a row of the table."
    def declared(run):
        ROWS[name] = Row(what, reference, goals, run, unit, needs, gpu)
        return run
    return declared


def absent(row):
    "What is stored of a row whose reference is not installed, or that lacks a GPU; None for all others."
    if row.gpu and not torch.cuda.is_available(): return dict(absent='no GPU')
    packages = [PACKAGES.get(name, name) for name in row.needs if importlib.util.find_spec(name) is None]
    return dict(absent=f'not installed: pip install {" ".join(packages)}') if packages else None
