// SPDX-License-Identifier: GPL-2.0-only
/* Programs as bytes and as text. */
#include <stdlib.h>
#include <string.h>

#include "calls.h"

__asm__(".section .rodata\n"
	".globl corpus_text\n"
	"corpus_text:\n"
	".incbin \"" CORPUS "\"\n"
	".byte 0\n"
	".previous\n");

void program_from_bytes(struct program *p, const void *data, size_t size)
{
	p->n = size / sizeof(struct step);
	if (p->n > STEPS_MAX)
		p->n = STEPS_MAX;
	memcpy(p->step, data, p->n * sizeof(struct step));
}

static int call_named(const char *name)
{
	unsigned int i;

	for (i = 0; i < n_calls; i++)
		if (!strcmp(calls[i].name, name))
			return i;
	return -1;
}

static bool step_from_line(struct step *s, char *line)
{
	char *word, *save, *end;
	int at = 0, call;

	memset(s, 0, sizeof(*s));
	for (word = strtok_r(line, " \t", &save); word; word = strtok_r(NULL, " \t", &save), at++) {
		unsigned long value;

		if (at == 1) {
			call = call_named(word);
			if (call < 0)
				return false;
			s->call = call;
			continue;
		}
		if (*word == '@' || *word == '~') {
			value = strtoul(word + 1, &end, 10);
			*(*word == '@' ? &s->where : &s->variant) = value;
			at--;
			continue;
		}
		value = strtoul(word, &end, 10);
		if (at == 0 && *end == '&') {
			value |= STEP_ASYNC;
			end++;
		}
		if (*end || value > 255 || at >= 4 + PARAMS)
			return false;
		*(at == 0 ? &s->actor : at == 2 ? &s->fd : at == 3 ? &s->out :
		  &s->param[at - 4]) = value;
	}
	return at >= 2;
}

const char *program_from_text(struct program *p, const char *text)
{
	char line[256];

	p->n = 0;
	while (*text) {
		size_t len = strcspn(text, "\n"), end = strcspn(text, "\n#");

		while (end && text[end - 1] == ' ')
			end--;
		if (end >= sizeof(line))
			return NULL;
		memcpy(line, text, end);
		line[end] = 0;
		if (!end && p->n && len == 0)
			return text;
		text += len + (text[len] == '\n');
		if (!end)
			continue;
		if (p->n == STEPS_MAX || !step_from_line(&p->step[p->n], line)) {
			fprintf(stderr, "# this is no step: %s\n", line);
			return NULL;
		}
		p->n++;
	}
	return p->n ? text : NULL;
}

static void step_print(const struct step *s, FILE *to)
{
	int last = PARAMS, i;

	fprintf(to, "%u%s %s %u %u", step_actor(s), s->actor & STEP_ASYNC ? "&" : "",
		step_call(s)->name, s->fd, s->out);
	if (s->where)
		fprintf(to, " @%u", s->where);
	if (s->variant)
		fprintf(to, " ~%u", s->variant);
	while (last && !s->param[last - 1])
		last--;
	for (i = 0; i < last; i++)
		fprintf(to, " %u", s->param[i]);
	fputc('\n', to);
}

void program_print(const struct program *p, FILE *to)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		step_print(&p->step[i], to);
	fputc('\n', to);
}
