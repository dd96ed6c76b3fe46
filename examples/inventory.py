"""A small stock list."""


class Inventory:
    def __init__(self):
        self.items = {}

    def add(self, name, count):
        self.items[name] = self.items.get(name, 0) + count

    def remove(self, name):
        if name not in self.items:
            raise KeyError(name)
        del self.items[$0]

    def count(self, name):
        return self.items.get(name, 0)

    def total(self):
        return sum(self.$0)

    def __len__(self):
        return len($0)
