/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a fuzzer's input apart. */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct input - what is left of it
 * @data: next byte
 * @size: bytes left
 */
struct input {
	const uint8_t *data;
	size_t size;
};

/* The next byte, 0 after the end. */
static inline uint8_t input_byte(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* The next bytes, zeros after the end. */
static inline void input_copy(struct input *input, void *to, size_t size)
{
	size_t have = size < input->size ? size : input->size;

	memset(to, 0, size);
	memcpy(to, input->data, have);
	input->data += have;
	input->size -= have;
}

#endif /* SLUICE_TESTS_FUZZ_H */
