// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel, and the module: is it loaded, or why not?
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor.h"

#define MODULES		"/lib/modules"
#define LOADED		"/sys/module/sluice"
#define SECURE_BOOT	"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define SIG_ENFORCE	"/sys/module/module/parameters/sig_enforce"

/* At the end of a module that is signed. */
#define SIGNATURE	"~Module signature appended~\n"

void check_kernel(struct doctor *doctor)
{
	unsigned int major = 0, minor = 0;
	struct utsname host;

	uname(&host);
	sscanf(host.release, "%u.%u", &major, &minor);
	if (major < 6 || (major == 6 && minor < 1))
		found(doctor, LEVEL_PROBLEM, "kernel", "boot Linux 6.1 or newer",
		      "Linux %s: the module needs 6.1", host.release);
	else
		found(doctor, LEVEL_OK, "kernel", NULL, "Linux %s", host.release);
}

/*
 * Where it is installed: depmod's list names it by its path, maybe compressed.
 * Return: false if it is not in there.
 */
static bool find_installed(const char *release, char *path, size_t size)
{
	char list[512], line[4096], *name;
	bool is_there = false;
	FILE *file;

	snprintf(list, sizeof(list), MODULES "/%s/modules.dep", release);
	file = fopen(list, "re");
	while (file && !is_there && fgets(line, sizeof(line), file)) {
		line[strcspn(line, ":\n")] = '\0';
		name = strrchr(line, '/');
		name = name ? name + 1 : line;
		is_there = !strncmp(name, "sluice.ko", strlen("sluice.ko"));
	}
	if (file)
		fclose(file);
	if (!is_there)
		return false;
	if (*line == '/')
		return (size_t)snprintf(path, size, "%s", line) < size;
	return (size_t)snprintf(path, size, MODULES "/%s/%s", release, line) < size;
}

/* Other kernels that it is installed for. Return: how many. */
static int find_others(char *text, size_t size)
{
	DIR *dir = opendir(MODULES);
	struct dirent *entry;
	char path[4096];
	size_t len = 0;
	int count = 0;

	*text = '\0';
	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.' ||
		    !find_installed(entry->d_name, path, sizeof(path)))
			continue;
		if (len < size)
			len += snprintf(text + len, size - len, "%s%s",
					count ? ", " : "", entry->d_name);
		count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static bool has_directory(const char *release)
{
	char path[512];

	snprintf(path, sizeof(path), MODULES "/%s", release);
	return !access(path, F_OK);
}

static bool is_secure_boot(void)
{
	unsigned char value[5] = { 0 };
	int fd = open(SECURE_BOOT, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	/* Four bytes of attributes come first. */
	len = read(fd, value, sizeof(value));
	close(fd);
	return len == sizeof(value) && value[4] == 1;
}

/* Why unsigned modules are refused, or NULL if they are not. */
static const char *who_wants_signatures(void)
{
	char line[256];

	first_line(LOCKDOWN, line, sizeof(line));
	if (strstr(line, "[integrity]") || strstr(line, "[confidentiality]"))
		return is_secure_boot() ? "Secure Boot is on, and locks the kernel down" :
					  "the kernel is locked down";
	if (*first_line(SIG_ENFORCE, line, sizeof(line)) == 'Y')
		return "the kernel was told to take signed modules only";
	return NULL;
}

/* Of a compressed one it cannot be told: that counts as signed. */
static bool is_signed(const char *path)
{
	char tail[sizeof(SIGNATURE)] = "";
	size_t len = strlen(path);
	FILE *file;

	if (len < 3 || strcmp(path + len - 3, ".ko"))
		return true;
	file = fopen(path, "re");
	if (!file)
		return true;
	if (!fseek(file, -(long)strlen(SIGNATURE), SEEK_END))
		len = fread(tail, 1, strlen(SIGNATURE), file);
	fclose(file);
	return !strcmp(tail, SIGNATURE);
}

static void tell_not_loaded(struct doctor *doctor, const char *path)
{
	const char *why = who_wants_signatures();

	if (why && !is_signed(path))
		found(doctor, LEVEL_PROBLEM, "module",
		      "sign it with a key that the machine knows: with DKMS, mokutil --import /var/lib/dkms/mok.pub, reboot and enroll it; then modprobe sluice",
		      "not loaded; %s is not signed, and %s", path, why);
	else
		found(doctor, LEVEL_PROBLEM, "module",
		      why ? "modprobe sluice; if that is refused, its key must be enrolled: mokutil --import, and reboot" :
			    "modprobe sluice; what it says against it is in dmesg",
		      "not loaded; it is installed: %s%s%s", path,
		      why ? "; " : "", why ? why : "");
}

static void tell_not_installed(struct doctor *doctor, const char *release)
{
	char others[512];

	if (find_others(others, sizeof(others)))
		found(doctor, LEVEL_PROBLEM, "module",
		      has_directory(release) ?
		      "build it for this kernel: apt install linux-headers-$(uname -r), then dkms autoinstall; or boot the other" :
		      "reboot: the files of the running kernel are gone",
		      "not loaded; it is installed for %s, but not for %s, which runs",
		      others, release);
	else
		found(doctor, LEVEL_PROBLEM, "module",
		      "install the package sluice-dkms; or, from the source, make modules_install; then modprobe sluice",
		      "not loaded, and not installed for %s", release);
}

/* Whatever is installed could not be loaded. */
static bool tell_cannot_load(struct doctor *doctor)
{
	char line[16];

	if (access("/proc/modules", F_OK)) {
		found(doctor, LEVEL_PROBLEM, "module",
		      "boot a kernel that can load modules",
		      "not loaded; this kernel cannot load modules");
		return true;
	}
	if (*first_line("/proc/sys/kernel/modules_disabled", line,
			sizeof(line)) != '1')
		return false;
	found(doctor, LEVEL_PROBLEM, "module",
	      "load it before kernel.modules_disabled is set (/etc/modules-load.d), and reboot",
	      "not loaded; loading modules was forbidden until the next boot");
	return true;
}

void check_module(struct doctor *doctor)
{
	char path[4096], state[32];
	struct utsname host;

	uname(&host);
	doctor->module = !access(LOADED, F_OK);
	first_line(LOADED "/initstate", state, sizeof(state));
	if (doctor->module && (!*state || !strcmp(state, "live")))
		found(doctor, LEVEL_OK, "module", NULL, "loaded");
	else if (doctor->module)
		found(doctor, LEVEL_PROBLEM, "module",
		      "wait; if it stays so, see dmesg",
		      "it is being loaded, or unloaded: %s", state);
	else if (tell_cannot_load(doctor))
		return;
	else if (find_installed(host.release, path, sizeof(path)))
		tell_not_loaded(doctor, path);
	else
		tell_not_installed(doctor, host.release);
}
