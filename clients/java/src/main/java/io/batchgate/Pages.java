package io.batchgate;

import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/** The items of all pages of a list, as they are asked for. */
final class Pages<P, T> implements Iterator<T> {
  private final Function<String, P> read;
  private final Function<P, List<T>> items;
  private final Function<P, String> following;
  private Iterator<T> page = List.<T>of().iterator();
  private String token = "";
  private boolean last;

  Pages(Function<String, P> read, Function<P, List<T>> items, Function<P, String> following) {
    this.read = read;
    this.items = items;
    this.following = following;
  }

  @Override
  public boolean hasNext() {
    while (!page.hasNext() && !last) {
      P given = read.apply(token);
      page = items.apply(given).iterator();
      token = following.apply(given);
      last = token.isEmpty();
    }
    return page.hasNext();
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    return page.next();
  }
}
