"""Tiny sets of video files in the official structure, of noise that is stored without loss."""
import numpy as np

RATE = 8000  # of the sound


def pixels(seed, frames, size=(8, 6)):
    return np.random.default_rng(seed).integers(0, 256, (frames, size[1], size[0], 3), dtype=np.uint8)


def sound(seed, seconds):
    return np.random.default_rng(seed).integers(-2 ** 15, 2 ** 15, (2, int(seconds * RATE))).astype(np.int16)


def write_video(path, seed, frames, fps=10, with_sound=False):
    """An AVI file by PyAV: FFV1, and sound of two channels."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 8, 6, "bgr0"
        heard = container.add_stream("pcm_s16le", rate=RATE, layout="stereo") if with_sound else None
        for image in pixels(seed, frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())
        if heard is not None:
            samples = sound(seed, frames / fps)
            frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, 0
            container.mux(heard.encode(frame))
            container.mux(heard.encode())


CLASSES = {"archery": [12, 5], "fishing": [9]}  # frames of each video


def paths(folder):
    """The videos below a folder, with their numbers of frames."""
    return {folder / name / f"{name}_{k}.avi": frames for name, counts in CLASSES.items() for k, frames in enumerate(counts)}


def annotations(folder):
    """The files that put archery_0 and fishing_0 into the first fold of UCF101's and HMDB51's training sets."""
    folder.mkdir(parents=True)
    (folder / "trainlist01.txt").write_text("archery/archery_0.avi 1\nfishing/fishing_0.avi 2\n")
    (folder / "testlist01.txt").write_text("archery/archery_1.avi\n")
    for name, lines in (("archery", "archery_0.avi 1 \narchery_1.avi 2 \n"), ("fishing", "fishing_0.avi 1 \n")):
        (folder / f"{name}_test_split1.txt").write_text(lines)


def empty_files(folder):
    """Files that are there, but hold nothing."""
    for path in paths(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def metadata(folder, tensor, fps=10.0):
    """What reading the videos would tell; `tensor` makes a tensor of a list."""
    found = sorted(map(str, paths(folder)))
    frames = {str(path): count for path, count in paths(folder).items()}
    return {"video_paths": found, "video_pts": [tensor(list(range(frames[path]))) for path in found],
            "video_fps": [fps] * len(found)}
