"""`thread_safe_generator`: the streams of worker threads, and nothing elsewhere."""
import flambeau as torch
from flambeau.random import thread_safe_generator
from flambeau.utils.data import DataLoader, Dataset


class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        generator = thread_safe_generator()
        return torch.tensor([generator is not None, int(torch.randint(1000, (), generator=generator))])


def test_threads_have_generators_of_their_own():
    assert thread_safe_generator() is None
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(torch.cat(list(DataLoader(Draws(), batch_size=2, num_workers=2, worker="thread"))).tolist())
    assert runs[0] == runs[1]
    assert all(has for has, _ in runs[0])
    assert len({number for _, number in runs[0]}) > 1
    torch.manual_seed(3)
    assert not any(has for has, _ in torch.cat(list(DataLoader(Draws()))).tolist())
