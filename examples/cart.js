class Cart {
  constructor() {
    this.lines = [];
  }

  add(product, quantity) {
    this.lines.push({ product, quantity });
  }

  total() {
    let sum = 0;
    for (const line of $0) {
      sum += line.product.price * line.quantity;
    }
    return sum;
  }

  isEmpty() {
    return this.lines.length === $0;
  }
}

module.exports = { Cart };
