"""Rows of bench.py about training: a step by each recipe on a CPU, and a whole training on a GPU."""
import cProfile, math, random, subprocess, time
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import torch, torch.nn.functional as F
from fastai.callback.core import Callback
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T
from facereid_nb.augment import augment, degrade
from facereid_nb.data import n_cores, open_image, valid_split
from facereid_nb.model import ARCFACE, FOURIER_SPHEREFACE2, SURVEILLANCE, FaceModel, normalise_images, to_pixels
from facereid_nb.train import face_learner
from bench_heads import OneHotArcFace
from bench_rows import row
from bench_setup import as_published
from in_turn import compared, own_seconds, profile

BATCH, STEPS = 16, 6


class Photos(Dataset):
    "Photos and what is to be learned of them, `(pixels, target)`."
    def __init__(self, paths, targets, size): self.paths, self.targets, self.size = paths, targets, size
    def __len__(self): return len(self.paths)
    def __getitem__(self, i): return to_pixels(self.paths[i], self.size), self.targets[i]


def fastai_order(n, seed=0):
    "The order in which fastai's loader takes photos in the first epoch of a recipe."
    rng = random.Random(seed)
    return random.Random(rng.randint(0, 2**32 - 1)).sample(range(n), n)


def plain_loader(learn):
    "What a learner trains on, in its order, by torch's own loader."
    data, recipe = learn.dls.train_ds, learn.model.recipe
    targets = [data.tls[1][i].as_subclass(Tensor) for i in range(len(data))]
    photos = Photos(data.items.path.tolist(), targets, recipe.input_size)
    return DataLoader(photos, recipe.schedule.batch_size, sampler=fastai_order(len(photos)), drop_last=True)


def plain_input(pixels, recipe):
    "From pixels to the network's input, augmented and degraded."
    x, d = augment(pixels/255, recipe.augmentation), recipe.distillation
    if d:
        clean, rest = x.tensor_split([round(d.clean_share*len(x))])
        x = torch.cat([clean, degrade(rest, d.camera)])
    return normalise_images(x, recipe.preprocessing)


def plain_optimizer(model, loss, n_steps):
    "AdamW with a learning rate for the backbone and one for the rest, and their cosine annealing."
    s, rest = model.recipe.schedule, [*model.head.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW([dict(params=model.backbone.parameters(), lr=s.lr_backbone),
                                   dict(params=rest, lr=s.lr_head or 0.)], weight_decay=s.weight_decay)
    def falling(highest, step): return (s.lr_min + (highest - s.lr_min)*(1 + math.cos(math.pi*step/n_steps))/2)/highest
    schedules = [partial(falling, lr) if lr else lambda step: 0. for lr in (s.lr_backbone, s.lr_head)]
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, schedules)


def in_training(model):
    "A model in training mode, but for batch norm where the recipe freezes it."
    model.train()
    for m in model.modules():
        if model.recipe.schedule.freeze_bn and isinstance(m, torch.nn.modules.batchnorm._BatchNorm): m.eval()
    return model


def plain_loop(learn):
    "Training of copies as plain PyTorch has it: an iterator of losses."
    model, loss_func, loader = in_training(deepcopy(learn.model)), deepcopy(learn.loss_func), plain_loader(learn)
    return plain_steps(model, loss_func, loader, *plain_optimizer(model, loss_func, len(loader)))


def plain_steps(model, loss_func, loader, optimizer, annealing):
    "The loss of each step."
    for pixels, targets in loader:
        loss = loss_func(model(plain_input(pixels, model.recipe)), targets)
        loss.backward()
        optimizer.step()
        annealing.step()
        optimizer.zero_grad()
        yield loss.item()


class InTurn(Callback):
    "Times each training step, from one batch's end to the next one's, and the step of a plain loop after it."
    order = 99
    def __init__(self, plain): self.plain, self.pairs, self.losses = plain, [], []
    def before_epoch(self): self.start()
    def start(self): self.random, self.started = torch.get_rng_state(), time.perf_counter()

    def after_batch(self):
        loss, took = self.loss.item(), time.perf_counter() - self.started
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self.random)
            started = time.perf_counter()
            self.losses.append((loss, next(self.plain)))
        self.pairs.append((took, time.perf_counter() - started))
        self.start()


def fitted(learn, *callbacks):
    "A learner after `fit_recipe`, with callbacks."
    with learn.no_bar(), learn.no_logging(), learn.added_cbs(callbacks), TemporaryDirectory() as out:
        return learn.fit_recipe(Path(out)/'model.safetensors')


def training(setup, recipe):
    "Steps of `fit_recipe` and of a plain loop in turn, with the same photos, random draws and weights."
    recipe = replace(recipe, align=None, batch_size=setup.n(BATCH), epochs=1, warmup=0., valid_pct=0.)
    items = setup.crops(setup.n(BATCH)*(setup.n(STEPS) + 1))[['image_path', 'gt', 'path']]
    learn = face_learner(items, recipe, num_workers=0)
    turns = InTurn(plain_loop(learn))
    fitted(learn, turns)
    apart = max(abs(a - b)/abs(b) for a, b in turns.losses)
    return dict(answers=dict(same=bool(apart < 1e-3), losses_apart=apart, steps=len(turns.losses)), count=1, profiled=2,
                rounds=len(turns.pairs) - 1, measures=dict(time=compared(turns.pairs[1:], 'time')),
                profile=where_time_goes(items, recipe))


class Profiled(Callback):
    "Profiles the training steps."
    order = 99
    def __init__(self): self.watched = cProfile.Profile()
    def before_train(self): self.watched.enable()
    def after_train(self): self.watched.disable()


def where_time_goes(items, recipe):
    "Profiles of two steps."
    learn, watching = face_learner(items[:2*recipe.schedule.batch_size], recipe, num_workers=0), Profiled()
    plain = plain_loop(learn)
    fitted(learn, watching)
    return dict(ours=own_seconds(watching.watched), reference=profile(lambda: [*plain]))


def edgeface(setup):
    "The surveillance recipe for crops without a margin, taught by itself; with random weights where there is no file."
    file = setup.weights.with_name('edgeface_s_gamma_05.onnx')
    network = dict(weights=str(file)) if file.exists() else dict(backbone='edgeface_s', weights=None)
    return replace(SURVEILLANCE, learned_alignment=None, teachers=('own',), align=None, **network)


PLAIN = 'the same operations in a plain PyTorch loop'

@row('train-arcface', 'training step, arcface, on a CPU', PLAIN, 'steps', time=1.03)
def train_arcface(setup): return training(setup, replace(ARCFACE, weights=None))

@row('train-fourier', 'training step, fourier, on a CPU', PLAIN, 'steps', time=1.03)
def train_fourier(setup): return training(setup, replace(FOURIER_SPHEREFACE2, weights=None))

@row('train-surveillance', 'training step, surveillance, on a CPU', PLAIN, 'steps', time=1.03)
def train_surveillance(setup): return training(setup, edgeface(setup))


class Augmented(Dataset):
    "Photos as the originals load them: every augmentation on the CPU, image by image."
    def __init__(self, items, names, recipe, training):
        p, a = recipe.preprocessing, recipe.augmentation
        random_part = [T.RandomResizedCrop(p.size, (a.crop, 1)), T.RandomHorizontalFlip(a.flip),
                       T.RandomRotation(a.rotate), T.ColorJitter(a.jitter, a.jitter, a.jitter, a.hue)]
        self.paths, self.labels = items.path.tolist(), [names.index(name) for name in items['gt']]
        self.transform = T.Compose([T.Resize((p.size, p.size)), *(random_part if training else []), T.ToTensor(),
                                    T.Normalize(p.mean, p.std)])

    def __len__(self): return len(self.paths)
    def __getitem__(self, i): return self.transform(open_image(self.paths[i])), self.labels[i]


def original_accuracy(net, head, loader, device):
    "How many validation photos are nearest to their person's class weight."
    net.eval()
    with torch.no_grad():
        right = [(F.linear(F.normalize(net(x.to(device))), F.normalize(head.weight)).argmax(1).cpu() == y)
                 for x, y in loader]
    return torch.cat(right).float().mean().item()


def original_training(items, recipe, device):
    "The original's fp32 training; images per second of each epoch, and the accuracy on validation photos."
    s, names, valid = recipe.schedule, sorted(items['gt'].unique()), valid_split(items['gt'], recipe.split.valid_pct)
    parts = [items.drop(items.index[valid]), items.iloc[valid]]
    train, validation = [DataLoader(Augmented(part, names, recipe, i == 0), s.batch_size, shuffle=i == 0,
                                    drop_last=i == 0, num_workers=n_cores()) for i, part in enumerate(parts)]
    net = as_published(FaceModel(recipe).backbone).to(device)
    head = OneHotArcFace(len(names), net.embedding_size).to(device)
    optimizer = torch.optim.AdamW([dict(params=net.parameters(), lr=s.lr_backbone),
                                   dict(params=head.parameters(), lr=s.lr_head)], weight_decay=s.weight_decay)
    annealing, rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, s.epochs, s.lr_min), []
    for _ in range(s.epochs):
        rates.append(rate([*original_epoch(net.train(), head, train, optimizer, device)], s.batch_size))
        annealing.step()
    return rates, original_accuracy(net, head, validation, device)


def original_epoch(net, head, loader, optimizer, device):
    "When each step of an epoch was done."
    for x, y in loader:
        optimizer.zero_grad()
        head(net(x.to(device)), y.to(device)).backward()
        optimizer.step()
        yield done()


def done():
    "The time at which all that was asked of the GPU is done."
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return time.perf_counter()


def rate(stamps, batch_size):
    "Images per second from the first step's end to the last one's."
    return batch_size*(len(stamps) - 1)/(stamps[-1] - stamps[0])


class Stamps(Callback):
    "When each step of each epoch was done."
    order = 99
    def __init__(self): self.epochs = []
    def before_train(self): self.epochs.append([])

    def after_batch(self):
        if self.training: self.epochs[-1].append(done())


def our_training(items, recipe):
    "`fit_recipe`; images per second of each epoch, and the accuracy on validation photos."
    stamps = Stamps()
    history = fitted(face_learner(items, recipe), stamps)
    return [rate(epoch, recipe.schedule.batch_size) for epoch in stamps.epochs], float(history.accuracy.iloc[-1])


@contextmanager
def watched_gpu():
    "A list that afterwards holds what part of the time the GPU was busy, sampled five times a second."
    samples, query = [], ['nvidia-smi', '--query-gpu=utilization.gpu', '--format=csv,noheader,nounits', '-lms', '200']
    watch = subprocess.Popen(query, stdout=subprocess.PIPE, text=True)
    try: yield samples
    finally:
        watch.terminate()
        samples += [float(line)/100 for line in watch.communicate()[0].split() if line.isdigit()]


def gpu_training(setup, backbone, epochs=3):
    "Trainings of the same people by the same network, ours and the original's, one after the other."
    items = setup.crops(setup.n(1858), size=160)[['image_path', 'gt', 'path']]
    recipe = setup.recipe(backbone, epochs=epochs)
    with watched_gpu() as busy: ours, accuracy = our_training(items, recipe)
    theirs, their_accuracy = original_training(items, recipe, 'cuda')
    seconds = [[1/a, 1/b] for a, b in zip(ours, theirs)]
    return dict(answers=dict(same=accuracy >= their_accuracy - .02, accuracy=accuracy, reference=their_accuracy),
                count=1, rounds=epochs, measures=dict(speed=compared(seconds), busy=dict(ratio=mean(busy))))


ORIGINAL = "the original's fp32 loop, augmentation on the CPU, the same GPU"

@row('train-gpu-mobilefacenet', 'training on a GPU, arcface, MobileFaceNet', ORIGINAL, 'images', gpu=True, speed=3,
     busy=.9)
def train_gpu_mobilefacenet(setup): return gpu_training(setup, 'mobilefacenet')

@row('train-gpu-inception', 'training on a GPU, arcface, Inception-ResNet V1', ORIGINAL, 'images', gpu=True, speed=3,
     busy=.9)
def train_gpu_inception(setup): return gpu_training(setup, 'inception_resnet_v1')
