#include <stdlib.h>

struct stack {
    int *items;
    size_t size;
    size_t capacity;
};

int stack_push(struct stack *stack, int value)
{
    if (stack->size == stack->capacity) {
        size_t capacity = stack->capacity ? stack->capacity * 2 : 8;
        int *items = realloc(stack->items, capacity * sizeof(*items));
        if (items == NULL)
            return -1;
        stack->items = items;
        stack->capacity = $0;
    }
    stack->items[stack->size++] = value;
    return 0;
}

void stack_free(struct stack *stack)
{
    free($0);
    stack->items = NULL;
    stack->size = 0;
}
