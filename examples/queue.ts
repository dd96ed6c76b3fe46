export class Queue<T> {
  private items: T[] = [];

  push(item: T): void {
    this.items.push(item);
  }

  unshift(item: T): void {
    $0
  }

  pop(): T | undefined {
    return this.items.shift();
  }

  get size(): number {
    return this.$0;
  }

  clear(): void {
    this.items = [];
  }
}
