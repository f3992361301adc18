"""Photos that nobody should enrol, for trials: `RUINS`, each a function of a photo, a random generator, the photo's
landmarks and a photo of somebody else.

Unlike `damage`, which makes photos poor, this leaves next to nothing of the face, or puts another one in its place.
Lengths are in pixels of photos of 250x250 with eyes some 42 pixels apart, as LFW has them.
"""
import math

from PIL import Image, ImageDraw, ImageFilter
from damage import axes, compressed, pixels_of, reduced, with_noise


def nobody(photo, rng, landmarks, other):
    "A corner of the photo."
    side = photo.width//5
    return photo.crop((0, 0, side, side)).resize(photo.size, Image.Resampling.BICUBIC)


def in_front(photo, rng, landmarks, other):
    "Somebody else in the middle; the person, smaller, at the edge."
    scene = Image.new('RGB', (500, 300), (120, 120, 120))
    scene.paste(other.resize((300, 300), Image.Resampling.BICUBIC), (100, 0))
    scene.paste(photo.resize((130, 130), Image.Resampling.BICUBIC), (370, int(rng.integers(0, 170))))
    return scene


def small(photo, rng, landmarks, other):
    "A frame of 18 to 28 pixels, face and all."
    return compressed(pixels_of(reduced(photo, round(rng.uniform(18, 28)))), rng.uniform(60, 95))


def blurred(photo, rng, landmarks, other): return photo.filter(ImageFilter.GaussianBlur(rng.uniform(7, 11)))


def night(photo, rng, landmarks, other):
    "A 25th to a 70th of the light."
    x = rng.uniform(.015, .04)*pixels_of(photo)
    return compressed(with_noise(x, rng.uniform(.005, .01), rng), rng.uniform(70, 95))


def covered(photo, rng, landmarks, other):
    "A rectangle over most of the face."
    (eye, right, down), photo = axes(landmarks), photo.copy()
    centre = landmarks.mean(axis=0) + rng.uniform(-.4, .4)*eye*right + rng.uniform(-.3, .3)*eye*down
    side, colour = rng.uniform(.9, 1.2)*eye, tuple(rng.integers(0, 255, 3).tolist())
    corners = [tuple(centre + a*side*right + 1.2*b*side*down) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    ImageDraw.Draw(photo).polygon(corners, fill=colour)
    return photo


def turned(photo, rng, landmarks, other):
    "By a quarter or more."
    return photo.rotate(rng.uniform(80, 280), Image.Resampling.BICUBIC)


def cut_off(photo, rng, landmarks, other):
    "Half of the face out of the picture."
    x = math.floor(landmarks[:, 0].mean() + rng.uniform(-.1, .1)*axes(landmarks)[0])
    return photo.crop((0, 0, x, photo.height) if rng.random() < .5 else (x, 0, photo.width, photo.height))


RUINS = {kind.__name__: kind for kind in (nobody, in_front, small, blurred, night, covered, turned, cut_off)}
