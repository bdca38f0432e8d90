"""Pages out of lists, for any list, size and place."""

from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.operations import Cursor
from batchgate_server.providers.paging import page_of, page_of_all
from batchgate_server.rest.models import RestFile

FILES = st.lists(
    st.builds(
        RestFile,
        id=st.text("abcdef", min_size=1, max_size=3),
        created_at=st.none() | st.integers(1, 3) | st.floats(1, 3),
    ),
    unique_by=lambda file: file.id,
)
SIZES = st.integers(1, 5)


@given(files=FILES, size=SIZES, ascending=st.booleans())
def test_all_pages_of_a_whole_list_are_the_list(
    files: list[RestFile], size: int, ascending: bool
) -> None:
    seen: list[RestFile] = []
    cursor = None
    while True:
        page = page_of_all(files, cursor=cursor, size=size, ascending=ascending)
        assert len(page.items) <= size
        seen += page.items
        cursor = page.next
        if cursor is None:
            break
        assert len(page.items) == size
    assert sorted(file.id for file in seen) == sorted(file.id for file in files)
    times = [file.created_at or 0.0 for file in seen]
    assert times == sorted(times, reverse=not ascending)


@given(files=FILES, size=SIZES, data=st.data())
def test_a_deletion_between_pages_loses_nothing_else(
    files: list[RestFile], size: int, data: st.DataObject
) -> None:
    first = page_of_all(files, cursor=None, size=size, ascending=True)
    gone = data.draw(st.sets(st.sampled_from(files))) if files else set()
    left = [file for file in files if file not in gone]
    seen = {file.id for file in first.items}
    cursor = first.next
    while cursor:
        page = page_of_all(left, cursor=cursor, size=size, ascending=True)
        assert not seen & {file.id for file in page.items}
        seen |= {file.id for file in page.items}
        cursor = page.next
    if first.next:
        assert {file.id for file in left} <= seen


@given(files=FILES, size=SIZES, has_more=st.none() | st.booleans(), cursor=st.text("abcdef"))
def test_any_answer_is_a_page(
    files: list[RestFile], size: int, has_more: bool | None, cursor: str
) -> None:
    page = page_of(
        files, has_more=has_more, cursor=Cursor(cursor, 0.0) if cursor else None, size=size
    )
    assert len(page.items) <= size
    assert cursor not in {file.id for file in page.items}
    if page.next:
        assert page.next.after == page.items[-1].id


@given(files=FILES, size=SIZES, has_more=st.none() | st.booleans())
def test_a_server_that_ignores_after_comes_to_an_end(
    files: list[RestFile], size: int, has_more: bool | None
) -> None:
    seen: list[str] = []
    page = page_of(files, has_more=has_more, cursor=None, size=size)
    seen += [file.id for file in page.items]
    for _ in files:
        if page.next is None:
            break
        page = page_of(files, has_more=has_more, cursor=page.next, size=size)
        seen += [file.id for file in page.items]
    assert page.next is None or len(files) == len(seen)
    assert seen == [file.id for file in files]
