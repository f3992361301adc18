"""Rows of bench.py about the head and the loss of many people."""
import math, time
from functools import partial

import torch, torch.nn.functional as F
from torch import nn
from facereid_nb.heads import ArcFace, CosineHead
from bench_rows import row
from in_turn import compared, in_fresh_process, in_turn, peak_memory, within_memory

SIZE, SCALE, MARGIN = 512, 30., 0.5


class OneHotArcFace(nn.Module):
    "ArcFace as its users have it, the margin put in by a one-hot matrix (github.com/ronghuaiyang/arcface-pytorch)."
    def __init__(self, n_people, size=SIZE, scale=SCALE, margin=MARGIN):
        super().__init__()
        self.weight, self.scale = nn.Parameter(nn.init.xavier_uniform_(torch.empty(n_people, size))), scale
        self.cos_m, self.sin_m = math.cos(margin), math.sin(margin)
        self.th, self.mm = math.cos(math.pi - margin), math.sin(math.pi - margin)*margin

    def forward(self, embeddings, labels):
        cosine = F.linear(F.normalize(embeddings), F.normalize(self.weight))
        sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(0, 1))
        phi = cosine*self.cos_m - sine*self.sin_m
        phi = torch.where(cosine > self.th, phi, cosine - self.mm)
        one_hot = torch.zeros(cosine.size(), device=cosine.device)
        one_hot.scatter_(1, labels.view(-1, 1).long(), 1)
        return F.cross_entropy(self.scale*((one_hot*phi) + ((1.0 - one_hot)*cosine)), labels)


class Ours(nn.Module):
    "Head and loss of a recipe."
    def __init__(self, n_people):
        super().__init__()
        self.head, self.loss = CosineHead(SIZE, n_people), ArcFace(SCALE, MARGIN).loss(n_people)

    def forward(self, embeddings, labels): return self.loss(self.head(embeddings), labels)


def metric_learning(n_people):
    "pytorch-metric-learning's ArcFace, whose margin is in degrees."
    from pytorch_metric_learning.losses import ArcFaceLoss
    return ArcFaceLoss(n_people, SIZE, math.degrees(MARGIN), SCALE)


HEADS = dict(ours=Ours, onehot=OneHotArcFace, pml=metric_learning)


def fill(head, n_people, rng, rows=10_000):
    "The same random weights in a head of whatever kind."
    weight = next(head.parameters()).data
    weight = weight if weight.shape == (n_people, SIZE) else weight.T
    for part in weight.split(rows): part.copy_(torch.randn(part.shape, generator=rng))


def step(head, embeddings, labels):
    "Forward and backward; the loss."
    embeddings.grad = None
    head.zero_grad()
    loss = head(embeddings, labels)
    loss.backward()
    return loss.item()


def steps(kind, n_people, batch, n):
    "Seconds of a step of a head, the most memory beyond what was there before, in megabytes, and the first loss."
    rng = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(batch, SIZE, generator=rng), torch.randint(n_people, (batch,), generator=rng)
    step(HEADS[kind](8), embeddings.requires_grad_(), labels % 8)
    before = peak_memory()
    with within_memory():
        head = HEADS[kind](n_people)
        fill(head, n_people, rng)
        started = time.perf_counter()
        losses = [step(head, embeddings, labels) for _ in range(n)]
    return dict(seconds=(time.perf_counter() - started)/n, megabytes=peak_memory() - before, loss=losses[0])


def heads(setup, n_people, other, rounds, n_steps, batch=256):
    "Each way in processes of its own, in turn; where the reference runs out of memory, how much ours needs."
    found = {kind: [] for kind in ('ours', other)}
    def run(kind): found[kind].append(in_fresh_process(
        steps, kind, setup.n(n_people), setup.n(batch), n_steps, threads=setup.threads))
    try: in_turn(partial(run, 'ours'), partial(run, other), rounds - 1)
    except MemoryError as e:
        if not found['ours']: raise
        return dict(absent=f'{e} for the reference; ours needs {found["ours"][0]["megabytes"]:.0f} megabytes')
    return same_losses(*found.values()) | dict(count=1, rounds=rounds)


def same_losses(ours, theirs):
    "Answers and measures of steps."
    def pairs(measure): return [[a[measure], b[measure]] for a, b in zip(ours, theirs)]
    loss, reference = pairs('loss')[0]
    same = math.isclose(loss, reference, rel_tol=1e-4)
    return dict(answers=dict(same=same, loss=loss, reference=reference),
                measures=dict(speed=compared(pairs('seconds')), memory=compared(pairs('megabytes'), 'memory')))


ONE_HOT, PML = 'ArcFace by a one-hot matrix', 'pytorch-metric-learning ArcFaceLoss'
GOALS = dict(speed=1, memory=.6)

@row('head-100k', 'head and loss, 100,000 people, 512-D, batch 256', ONE_HOT, 'steps', **GOALS)
def head_100k(setup): return heads(setup, 100_000, 'onehot', 3, 2)

@row('head-100k-pml', 'head and loss, 100,000 people, 512-D, batch 256', PML, 'steps',
     needs=['pytorch_metric_learning'], **GOALS)
def head_100k_pml(setup): return heads(setup, 100_000, 'pml', 3, 2)

@row('head-1m', 'head and loss, 1,000,000 people, 512-D, batch 256', ONE_HOT, 'steps', **GOALS)
def head_1m(setup): return heads(setup, 1_000_000, 'onehot', 2, 1)

@row('head-1m-pml', 'head and loss, 1,000,000 people, 512-D, batch 256', PML, 'steps',
     needs=['pytorch_metric_learning'], **GOALS)
def head_1m_pml(setup): return heads(setup, 1_000_000, 'pml', 2, 1)
