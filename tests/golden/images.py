"""Makes images.json beside it: small image files of every odd kind, and the pixels that Pillow gives for them.

Run with: python3 tests/golden/images.py (needs Pillow and NumPy; written with Pillow 9.4 and libjpeg-turbo 2.1.5)

Transparent pixels are composed on white and samples of 16 bits rounded to 8 here, since Pillow leaves both to its
users. Pixels are those of the file: not turned as EXIF says.
"""
import base64
import io
import json
import os
import struct
import zlib

import numpy as np
from PIL import Image

W, H = 20, 12
y, x = np.mgrid[0:H, 0:W]
PICTURE = np.stack([
    128 + 100 * np.sin(0.35 * x + 0.1 * y),
    128 + 90 * np.sin(0.2 * x - 0.5 * y + 1),
    40 + 10 * x - 3 * y,
], -1).clip(0, 255).astype(np.uint8)
IMAGE = Image.fromarray(PICTURE)
ALPHA = ((x * 13 + y * 7) % 256).astype(np.uint8)
FILES = {}


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def segments(jpeg):
    """Markers with their bodies up to the scan, and the rest."""
    at, out = 2, []
    while True:
        marker, length = jpeg[at + 1], struct.unpack('>H', jpeg[at + 2:at + 4])[0]
        out.append((marker, jpeg[at + 4:at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            return out, jpeg[at:]


def joined(parts, rest, between=b'', fill=0, tail=b''):
    out = b'\xff\xd8'
    for i, (marker, body) in enumerate(parts):
        out += (between if i else b'') + b'\xff' * fill
        out += bytes([0xff, marker]) + struct.pack('>H', len(body) + 2) + body
    return out + rest + tail


def without(parts, *markers):
    return [part for part in parts if part[0] not in markers]


def adobe(transform):
    return (0xEE, b'Adobe' + struct.pack('>HHHB', 100, 0, 0, transform))


def exif(orientation, order, pad=0, after=1):
    """An EXIF block whose directory lies `pad` bytes further in and has `after` entries before the orientation."""
    entries = b''.join(struct.pack(order + 'HHI4s', 0x100 + i, 3, 1, b'\0\1\0\1') for i in range(after))
    entries += struct.pack(order + 'HHIHH', 0x112, 3, 1, orientation, 0)
    return ((b'II' if order == '<' else b'MM') + struct.pack(order + 'HI', 42, 8 + pad) + b'\0' * pad +
            struct.pack(order + 'H', after + 1) + entries + struct.pack(order + 'I', 0))


def jpegs():
    for name, sampling in (('444', 0), ('422', 1), ('420', 2)):
        FILES[f'jpeg {name}'] = saved(IMAGE, 'JPEG', quality=90, subsampling=sampling)
    FILES['jpeg progressive 420'] = saved(IMAGE, 'JPEG', quality=85, progressive=True)
    FILES['jpeg grey'] = saved(IMAGE.convert('L'), 'JPEG', quality=90)
    # Red, green and blue as they are: the encoder is told that they are something else.
    parts, rest = segments(saved(Image.merge('YCbCr', IMAGE.split()), 'JPEG', quality=95, subsampling=0))
    parts = without(parts, 0xE0)
    FILES['jpeg rgb, adobe transform 0'] = joined([adobe(0)] + parts, rest)
    named = []
    for marker, body in parts:
        body = bytearray(body)
        for c in range(3):
            if marker in (0xC0, 0xC2):
                body[6 + 3 * c] = b'RGB'[c]
            if marker == 0xDA:
                body[1 + 2 * c] = b'RGB'[c]
        named.append((marker, bytes(body)))
    FILES['jpeg rgb, component ids'] = joined(named, rest)
    cmyk = IMAGE.convert('CMYK')
    black = np.minimum(255 - PICTURE.max(-1), 60).astype(np.uint8)
    inks = [255 - PICTURE[..., c] for c in range(3)]
    cmyk = Image.merge('CMYK', [Image.fromarray(a.astype(np.uint8)) for a in (*inks, black)])
    FILES['jpeg cmyk, adobe'] = saved(cmyk, 'JPEG', quality=95)
    parts, rest = segments(FILES['jpeg cmyk, adobe'])
    FILES['jpeg cmyk, no marker'] = joined(without(parts, 0xEE), rest)
    ycc = [255 - np.asarray(c) for c in Image.fromarray(PICTURE).convert('YCbCr').split()]
    ycck = Image.merge('CMYK', [Image.fromarray(a) for a in (*ycc, black)])
    parts, rest = segments(saved(ycck, 'JPEG', quality=95))
    FILES['jpeg ycck, adobe transform 2'] = joined([adobe(2)] + without(parts, 0xEE), rest)
    parts, rest = segments(FILES['jpeg 444'])
    for orientation in range(1, 9):
        order = '<>'[orientation % 2]
        block = (0xE1, b'Exif\0\0' + exif(orientation, order, 2 * orientation, orientation % 3))
        before = [parts[0], (0xE1, b'http://ns.adobe.com/xap/1.0/\0<x/>'), (0xE2, b'ICC' * 9)][:orientation % 4]
        FILES[f'jpeg orientation {orientation}'] = joined(before + [block] + without(parts, 0xE0), rest)
    FILES['jpeg fill bytes'] = joined(parts, rest, fill=3)
    FILES['jpeg stray bytes between segments'] = joined(parts, rest, between=b'\0\x12\0')
    FILES['jpeg surplus after the end'] = joined(parts, rest, tail=b'surplus' * 30)
    FILES['jpeg surplus before the end'] = joined(parts, rest[:-2] + b'\x12\x34\x56' + rest[-2:])
    FILES['jpeg without its end marker'] = joined(parts, rest[:-2])


def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


def png(depth, colour, rows, before=b'', surplus=b'', height=H, width=W):
    raw = b''.join(b'\0' + row.tobytes() for row in rows)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)) +
            before + chunk(b'IDAT', zlib.compress(raw + surplus)) + chunk(b'IEND', b''))


def pngs():
    grey = np.asarray(IMAGE.convert('L'))
    wide = (grey.astype(np.uint16) * 255 + x * 11).astype('>u2')
    FILES['png grey'] = png(8, 0, grey)
    FILES['png grey 16'] = png(16, 0, wide)
    FILES['png grey alpha'] = png(8, 4, np.stack([grey, ALPHA], -1))
    FILES['png rgb alpha'] = png(8, 6, np.concatenate([PICTURE, ALPHA[..., None]], -1))
    FILES['png palette, transparent entries'] = png(8, 3, grey // 8, chunk(
        b'PLTE', bytes((7 * i) % 256 for i in range(96))) + chunk(b'tRNS', bytes([0, 40, 255, 130, 9, 200, 3, 77])))
    FILES['png gamma 1'] = png(8, 2, PICTURE, chunk(b'gAMA', struct.pack('>I', 100000)))
    FILES['png grey gamma 1'] = png(8, 0, grey, chunk(b'gAMA', struct.pack('>I', 100000)))
    FILES['png exif orientation 6'] = png(8, 2, PICTURE, chunk(b'eXIf', exif(6, '<', 4)))
    FILES['png exif orientation 8'] = png(8, 2, PICTURE, chunk(b'eXIf', exif(8, '>')))
    FILES['png surplus data'] = png(8, 2, PICTURE, surplus=b'surplus' * 40)
    FILES['png surplus after the end'] = png(8, 2, PICTURE) + b'surplus' * 20
    FILES['png without its last chunk'] = png(8, 2, PICTURE)[:-12]


def others():
    rgba = Image.fromarray(np.concatenate([PICTURE, ALPHA[..., None]], -1), 'RGBA')
    FILES['webp'] = saved(IMAGE, 'WebP', quality=80)
    FILES['webp lossless'] = saved(IMAGE, 'WebP', lossless=True)
    FILES['webp alpha'] = saved(rgba, 'WebP', quality=90)
    FILES['webp orientation 5'] = saved(IMAGE, 'WebP', quality=90, exif=b'Exif\0\0' + exif(5, '<'))
    FILES['webp first of two frames'] = saved(
        IMAGE, 'WebP', save_all=True, append_images=[IMAGE.rotate(180)], lossless=True)
    FILES['webp first of three frames, alpha, orientation 6'] = saved(
        rgba, 'WebP', save_all=True, append_images=[rgba.rotate(180), rgba.rotate(90, fillcolor=(9, 9, 9, 9))],
        lossless=True, exif=b'Exif\0\0' + exif(6, '<'))
    palette = IMAGE.quantize(32)
    FILES['gif'] = saved(palette, 'GIF')
    FILES['gif first of two frames, transparent'] = saved(
        palette, 'GIF', save_all=True, append_images=[palette.rotate(180)], transparency=5)
    gif = bytearray(FILES['gif'])
    # The frame lies at 3, 2 of a larger screen, whose other pixels are clear: white here as in browsers.
    at = gif.index(b',', 13 + 3 * 2 ** ((gif[10] & 7) + 1))
    gif[at + 1:at + 5] = struct.pack('<HH', 3, 2)
    gif[6:10] = struct.pack('<HH', W + 5, H + 4)
    FILES['gif frame within its screen'] = bytes(gif)
    for mode in ('RGB', 'L', '1', 'P'):
        FILES[f'bmp {mode}'] = saved(IMAGE.convert(mode), 'BMP')


def pixels(data):
    """The pixels as rows of 1 or 3 samples, and EXIF's orientation."""
    image = Image.open(io.BytesIO(data))
    image.load()
    orientation = image.getexif().get(0x112, 1)
    if image.mode.startswith('I'):
        out = np.round(np.asarray(image).astype(float) / 257)
    elif image.mode in ('LA', 'RGBA') or 'transparency' in image.info:
        rgba = np.asarray(image.convert('RGBA')).astype(int)
        out = np.round((rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])) / 255)
        if image.mode == 'LA':
            out = out[..., :1]
    else:
        out = np.asarray(image.convert('L' if image.mode in ('L',) else 'RGB'))
    return out.astype(np.uint8), orientation


jpegs()
pngs()
others()
with open(os.path.join(os.path.dirname(__file__), 'images.json'), 'w') as out:
    text = {}
    for name, data in FILES.items():
        # Pillow reads a file without its end marker or not, by its size: its pixels are those of the whole file.
        array, orientation = pixels(FILES['jpeg 444'] if name == 'jpeg without its end marker' else data)
        if name == 'gif frame within its screen':
            frame = array[2:2 + H, 3:3 + W].copy()
            array = np.full_like(array, 255)
            array[2:2 + H, 3:3 + W] = frame
        text[name] = {
            'file': base64.b64encode(data).decode(),
            'width': array.shape[1],
            'height': array.shape[0],
            'orientation': orientation,
            'pixels': base64.b64encode(zlib.compress(array.tobytes(), 9)).decode(),
        }
    json.dump(text, out, indent=0)
    out.write('\n')
