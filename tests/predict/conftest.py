import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks are slower on two threads, above all when the tests share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
