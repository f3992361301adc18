"""Rows of bench.py about photos and faces: detect, align, embed, and all of it up to a submission."""
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose, Normalize, Resize, ToTensor
from facereid_nb.align import align_faces, centre_matrix, detect_faces, face_detector, similarity_matrix, warp
from facereid_nb.data import UNKNOWN
from facereid_nb.gallery import Gallery
from facereid_nb.infer import Recognizer, write_submission
from facereid_nb.model import embed
from bench_rows import row
from bench_setup import ALIGNMENT, as_published, enlarged, network, pictures
from in_turn import race

FACENET = 'facenet-pytorch: MTCNN.detect, a photo at a time, min_face_size 20'


def opened(path): return Image.open(path).convert('RGB')


def mtcnn(**settings):
    "facenet-pytorch's detector with its own defaults."
    from facenet_pytorch import MTCNN
    return MTCNN(min_face_size=20, **settings).eval()


def overlap(a, b):
    "Intersection over union of boxes `(N,4)` and `(M,4)`, `(N,M)`."
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    def area(boxes): return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return shared/(area(a)[:, None] + area(b) - shared)


def differences(ours, theirs):
    "How many faces only one of them found, the least overlap and the largest distance of landmarks, of one photo."
    if theirs[0] is None or not ours: return len(ours) + (theirs[0] is not None), 1., 0.
    boxes, points = np.array(theirs[0], float), np.array(theirs[2], float)
    iou = overlap(np.stack([f.box for f in ours]), boxes)
    same, found = iou.argmax(axis=0), iou.max(axis=0) >= .5
    apart = np.linalg.norm(np.stack([ours[i].landmarks for i in same]) - points, axis=2).max(axis=1)
    others = (iou.max(axis=1) < .5).sum() + (~found).sum()
    return others, iou.max(axis=0)[found].min(initial=1), apart[found].max(initial=0)


def same_faces(ours, theirs):
    "Whether photos have the same faces in the same places, in pixels of the photo as it is searched."
    found = pd.DataFrame([differences(*pair) for pair in zip(ours, theirs)], columns=['others', 'iou', 'apart'])
    agree = (found.others == 0) & (found.iou >= .95) & (found.apart <= 1.5)
    return dict(same=bool(agree.mean() >= .995), photos=len(found), agree=agree.mean(),
                other_faces=int(found.others.sum()), least_iou=found.iou.min(), landmarks_px=found.apart.max())


def detection(photos, searched, rounds):
    "All faces in photos in memory; the answers are compared in photos of the size in which ours searches them."
    ours, theirs = face_detector(), mtcnn(keep_all=True)
    def reference(photos): return [theirs.detect(photo, landmarks=True) for photo in photos]
    answers = same_faces(detect_faces(searched, ours), reference(searched))
    return dict(answers=answers, count=len(photos),
                **race(partial(detect_faces, photos, ours), partial(reference, photos), rounds))


@row('detect', 'detect, 250×250', FACENET, 'photos', speed=3)
def detect(setup):
    photos = [opened(path) for path in setup.items(setup.n(40)).path]
    return detection(photos, photos, setup.rounds)


def large_photos(setup, n):
    "Photos of 6 megapixels."
    photos = [opened(path) for path in setup.items(3*n).path]
    return [enlarged(photos[3*i:]) for i in range(n)]


@row('detect-6mp', 'detect, 6 megapixels', FACENET, 'photos', speed=6)
def detect_6mp(setup):
    photos, k = large_photos(setup, 3), ALIGNMENT.max_side/3000
    searched = [photo.resize((ALIGNMENT.max_side, round(k*photo.height)), Image.BICUBIC) for photo in photos]
    return detection(photos, searched, min(3, setup.rounds))


def alignment(items, rounds, least_iou):
    "Photos in files to crops in files, a folder for each time."
    detector, n = mtcnn(image_size=ALIGNMENT.size), count()
    with TemporaryDirectory() as out:
        def ours(): return align_faces(items, f'{out}/{next(n)}', ALIGNMENT)
        def reference():
            folder = Path(out, str(next(n)))
            for i, path in enumerate(items.path): detector(opened(path), save_path=f'{folder}/{i}.jpg')
        answers = same_crops(ours(), [detector.detect(opened(path)) for path in items.path], least_iou)
        return dict(answers=answers, count=len(items), **race(ours, reference, rounds))


def same_crops(manifest, theirs, least_iou):
    "Whether the faces that are cut out are those that the reference cuts out."
    boxes = manifest[['x1', 'y1', 'x2', 'y2']].to_numpy(float)
    iou = [overlap(ours[None], found[:1].astype(float)).item() if found is not None else float(np.isnan(ours).all())
           for ours, (found, _) in zip(boxes, theirs)]
    agree = np.mean(np.nan_to_num(iou) >= least_iou)
    return dict(same=bool(agree >= .995), photos=len(iou), agree=agree, least_iou=np.nanmin(iou))


CUT_OUT = 'facenet-pytorch: open, MTCNN(photo, save_path), a photo at a time, min_face_size 20'

@row('align', 'photos of 250×250 to aligned crops, in files', CUT_OUT, 'photos', speed=3)
def align(setup): return alignment(setup.items(setup.n(40)), setup.rounds, least_iou=.95)


@row('align-6mp', 'photos of 6 megapixels to aligned crops, in files', CUT_OUT, 'photos', speed=6)
def align_6mp(setup):
    with TemporaryDirectory() as folder:
        paths = [f'{folder}/{i}.jpg' for i in range(3)]
        for photo, path in zip(large_photos(setup, 3), paths): photo.save(path, quality=90)
        items = pd.DataFrame(dict(image_path=[Path(path).name for path in paths], gt='', path=paths))
        return alignment(items, min(3, setup.rounds), least_iou=.8) # Ours searches a smaller photo


class Crops(Dataset):
    "Crops as the networks' users load them."
    def __init__(self, images, preprocessing):
        normalise = Normalize(preprocessing.mean, preprocessing.std)
        self.images, self.transform = images, Compose([Resize((preprocessing.size,)*2), ToTensor(), normalise])

    def __len__(self): return len(self.images)
    def __getitem__(self, i): return self.transform(self.images[i])


@torch.no_grad()
def embedded(net, dataset):
    "Embeddings by the network as it is, in batches of 32."
    return torch.cat([F.normalize(net(x)) for x in DataLoader(dataset, 32)])


def embedding(setup, backbone, n, **changes):
    "Crops in memory to embeddings."
    recipe = setup.recipe(backbone, **changes)
    images = pictures(setup.crops(setup.n(n)), recipe.preprocessing.size)
    model = network(recipe, images[:32])
    net, dataset = as_published(model.backbone), Crops(images, recipe.preprocessing)
    ours, reference = partial(embed, model, images), partial(embedded, net, dataset)
    embed(model, images*2) # An engine starts only where there are many
    least = (ours()*reference()).sum(dim=1).min().item()
    answers = dict(same=least >= .9999, least_cosine=least, weights='published' if recipe.weights else 'random')
    return dict(answers=answers, count=len(images), **race(ours, reference, setup.rounds))


EAGER = 'eager PyTorch, DataLoader, batches of 32'

@row('embed-inception', 'embed, Inception-ResNet V1 at 160', EAGER, 'faces', speed=1.7)
def embed_inception(setup): return embedding(setup, 'inception_resnet_v1', 64)

@row('embed-resnext', 'embed, ResNeXt-50 at 112', EAGER, 'faces', speed=1.7)
def embed_resnext(setup): return embedding(setup, 'resnext50_32x4d', 64)

@row('embed-mobilefacenet', 'embed, MobileFaceNet at 112', EAGER, 'faces', speed=2)
def embed_mobilefacenet(setup): return embedding(setup, 'mobilefacenet', 128)


def nearest_is_right(crops, embeddings):
    "How many photos are nearest to the first photo of their own person."
    names, first = crops['gt'].to_numpy(), ~crops['gt'].duplicated().to_numpy()
    nearest = (embeddings[~first] @ embeddings[first].T).argmax(dim=1)
    return (names[first][nearest] == names[~first]).mean()


def reduced(setup, backbone, n):
    "Embeddings in reduced precision; of published weights how often they name the right person, beside eager ones."
    found = embedding(setup, backbone, n, precision='reduced')
    if found['answers']['weights'] == 'random': return found | dict(answers=found['answers'] | dict(same=None))
    recipe, crops = setup.recipe(backbone, precision='reduced'), setup.crops(max(200, setup.n(400)))
    images, model = pictures(crops, recipe.preprocessing.size), network(recipe, ())
    ours = nearest_is_right(crops, embed(model, images))
    theirs = nearest_is_right(crops, embedded(as_published(model.backbone), Crops(images, recipe.preprocessing)))
    same = bool(abs(ours - theirs) <= .002)
    return found | dict(answers=found['answers'] | dict(same=same, accuracy=ours, reference=theirs))


@row('reduced-inception', 'embed in reduced precision, Inception-ResNet V1', EAGER, 'faces', speed=3)
def reduced_inception(setup): return reduced(setup, 'inception_resnet_v1', 64)

@row('reduced-resnext', 'embed in reduced precision, ResNeXt-50', EAGER, 'faces', speed=3)
def reduced_resnext(setup): return reduced(setup, 'resnext50_32x4d', 64)

@row('reduced-mobilefacenet', 'embed in reduced precision, MobileFaceNet', EAGER, 'faces', speed=3)
def reduced_mobilefacenet(setup): return reduced(setup, 'mobilefacenet', 128)


class CutOut(Dataset):
    "Photos, opened, searched and aligned one by one."
    def __init__(self, paths, preprocessing):
        self.paths, self.detector, self.size = paths, mtcnn(keep_all=True), ALIGNMENT.size
        self.transform = Compose([ToTensor(), Normalize(preprocessing.mean, preprocessing.std)])

    def __len__(self): return len(self.paths)

    def __getitem__(self, i):
        photo = opened(self.paths[i])
        _, _, points = self.detector.detect(photo, landmarks=True)
        place = centre_matrix(photo.size, self.size) if points is None else similarity_matrix(
            np.array(points[0], float), self.size)
        return self.transform(warp(photo, place, self.size))


def originals_way(net, photos, recognizer, out):
    "From photos to a submission."
    answers, gallery = [], recognizer.gallery
    for e in embedded(net, photos):
        cosines = F.cosine_similarity(e[None], gallery.templates)
        best = cosines.argmax().item()
        answers.append(gallery.names[best] if cosines[best] >= recognizer.threshold else UNKNOWN)
    objects = [str({'gt': name, 'image': f'test_set/{Path(path).name}'}) for name, path in zip(answers, photos.paths)]
    table = pd.DataFrame(dict(ID=range(len(objects)), frame=-1, objects=objects, objective='face_reid'))
    table.to_csv(out, index=False)
    return answers


def knowing(model, crops):
    "A `Recognizer` of the people in crops."
    gallery = Gallery(model.id)
    gallery.add_photos(crops['gt'], embed(model, crops.path), model.id)
    return Recognizer(model, gallery, threshold=.4)


@row('predict', 'predict: photos to a submission, MobileFaceNet',
     "the originals' way: MTCNN a photo at a time, DataLoader, eager, a cosine per embedding", 'photos', speed=3)
def predict(setup):
    recipe, enrolled = setup.recipe('mobilefacenet', align=ALIGNMENT), setup.n(125)
    crops, photos = setup.crops(enrolled), setup.items(enrolled + setup.n(40))[enrolled:]
    model = network(recipe, pictures(crops[:32], 112))
    recognizer, net = knowing(model, crops), as_published(model.backbone)
    one_by_one = CutOut(photos.path.tolist(), recipe.preprocessing)
    with TemporaryDirectory() as out:
        def ours():
            found = recognizer.predict(photos)
            write_submission(found, f'{out}/ours.csv')
            return found.pred
        def reference(): return originals_way(net, one_by_one, recognizer, f'{out}/theirs.csv')
        agree = np.mean(ours() == reference())
        return dict(answers=dict(same=bool(agree >= .975), agree=agree), count=len(photos),
                    **race(ours, reference, min(3, setup.rounds)))
