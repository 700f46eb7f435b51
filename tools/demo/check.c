// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Whether what came out is what went in.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "demo.h"

/* Called with the bytes of a stream, piece by piece; false ends it. */
typedef bool (*visit_t)(const void *data, size_t length, void *context);

static int open_input(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static bool visit_file(const char *path, visit_t visit, void *context)
{
	int fd = open_input(path);
	char *buf = malloc(CHUNK);
	bool good = buf;
	ssize_t n = 1;

	while (good && n > 0) {
		n = read_whole(fd, buf, CHUNK);
		if (n < 0)
			die("%s: %s", path, strerror(errno));
		if (n > 0)
			good = visit(buf, n, context);
	}
	free(buf);
	close(fd);
	return good;
}

struct decompressor {
	ZSTD_DCtx *zstd;
	char *out;
	size_t left;	/* not 0: more must follow */
	visit_t visit;
	void *context;
};

static bool decompress_piece(const void *data, size_t length, void *context)
{
	struct decompressor *d = context;
	ZSTD_inBuffer in = { data, length, 0 };
	ZSTD_outBuffer out;

	do {
		out = (ZSTD_outBuffer) { d->out, ZSTD_DStreamOutSize(), 0 };
		d->left = ZSTD_decompressStream(d->zstd, &out, &in);
		if (ZSTD_isError(d->left) || !d->visit(d->out, out.pos, d->context))
			return false;
		/* A full buffer may not have been all. */
	} while (in.pos < in.size || out.pos == out.size);
	return true;
}

static bool visit_decompressed(const char *path, visit_t visit, void *context)
{
	struct decompressor d = {
		.zstd = ZSTD_createDCtx(), .out = malloc(ZSTD_DStreamOutSize()),
		.left = 1, .visit = visit, .context = context,
	};
	bool good;

	if (!d.zstd || !d.out)
		die("no memory");
	good = visit_file(path, decompress_piece, &d) && !d.left;
	ZSTD_freeDCtx(d.zstd);
	free(d.out);
	return good;
}

/* Digests ------------------------------------------------------------------- */

static bool add_to_digest(const void *data, size_t length, void *context)
{
	return EVP_DigestUpdate(context, data, length);
}

static bool digest(const char *path, uint8_t *result,
		   bool (*visit_all)(const char *path, visit_t visit, void *context))
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
		    visit_all(path, add_to_digest, context) &&
		    EVP_DigestFinal_ex(context, result, NULL);

	EVP_MD_CTX_free(context);
	return good;
}

bool digest_of_file(const char *path, uint8_t *result)
{
	return digest(path, result, visit_file);
}

bool digest_of_compressed(const char *path, uint8_t *result)
{
	return digest(path, result, visit_decompressed);
}

/* Comparing ----------------------------------------------------------------- */

struct comparison {
	int fd;
	char *buf;
	size_t size;
};

static bool compare_piece(const void *data, size_t length, void *context)
{
	struct comparison *c = context;

	while (length) {
		size_t want = length < c->size ? length : c->size;

		if (read_whole(c->fd, c->buf, want) != (ssize_t)want ||
		    memcmp(c->buf, data, want))
			return false;
		data = (const char *)data + want;
		length -= want;
	}
	return true;
}

static bool same(const char *path, const char *other,
		 bool (*visit_all)(const char *path, visit_t visit, void *context))
{
	struct comparison c = {
		.fd = open_input(other), .buf = malloc(CHUNK), .size = CHUNK,
	};
	bool good;

	if (!c.buf)
		die("no memory");
	good = visit_all(path, compare_piece, &c) &&
	       read_whole(c.fd, c.buf, 1) == 0;
	free(c.buf);
	close(c.fd);
	return good;
}

bool same_file(const char *path, const char *other)
{
	return same(path, other, visit_file);
}

bool same_when_decompressed(const char *path, const char *other)
{
	return same(path, other, visit_decompressed);
}
