// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that goes wrong when told how: write the name of a fault to
 * /dev/sluice, or read from it. For the harness to prove that it notices.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static DEFINE_MUTEX(lock_a);
static DEFINE_MUTEX(lock_b);
static DEFINE_SPINLOCK(spin);

/* Volatile, so that the compiler does not see the fault and take it away. */
static volatile int too_far = 40;
static volatile int sink;

/* Not volatile: that would make the race one that is meant. */
static int contended;

static void fault_warn(void)
{
	WARN(1, "deliberate warning\n");
}

static void fault_oops(void)
{
	volatile int *volatile nowhere = NULL;

	sink = *nowhere;
}

static void fault_pin(void)
{
	__module_get(THIS_MODULE);
}

/* Both processors would have to stop; one with interrupts off is enough. */
static void fault_freeze(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void fault_leak(void)
{
	int i;

	/* Several: a stale pointer on some stack may hide one of them. */
	for (i = 0; i < 8; i++)
		sink = !kmalloc(333, GFP_KERNEL);
}

static void fault_stale(void)
{
	volatile char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return;
	kfree((void *)p);
	sink = p[3];
}

static void fault_unwritten(void)
{
	volatile int *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return;
	if (p[3])
		sink = 1;
	kfree((void *)p);
}

static void fault_shift(void)
{
	sink = 1 << too_far;
}

static void fault_atomic(void)
{
	spin_lock(&spin);
	msleep(1);
	spin_unlock(&spin);
}

static void fault_lock(void)
{
	mutex_lock(&lock_a);
	mutex_lock(&lock_b);
	mutex_unlock(&lock_b);
	mutex_unlock(&lock_a);
	mutex_lock(&lock_b);
	mutex_lock(&lock_a);
	mutex_unlock(&lock_a);
	mutex_unlock(&lock_b);
}

/* Out of line, so that every turn goes to memory. */
static noinline void race_once(void)
{
	contended++;
	cond_resched();
}

static int racer(void *unused)
{
	while (!kthread_should_stop())
		race_once();
	return 0;
}

static void fault_race(void)
{
	unsigned long end = jiffies + 5 * HZ;
	struct task_struct *other = kthread_run(racer, NULL, "racer");

	if (IS_ERR(other))
		return;
	while (time_before(jiffies, end))
		race_once();
	kthread_stop(other);
}

static const struct {
	const char *name;
	void (*commit)(void);
} faults[] = {
	{ "warn", fault_warn },		{ "oops", fault_oops },
	{ "pin", fault_pin },		{ "freeze", fault_freeze },
	{ "leak", fault_leak },		{ "stale", fault_stale },
	{ "shift", fault_shift },	{ "atomic", fault_atomic },
	{ "lock", fault_lock },		{ "race", fault_race },
	{ "unwritten", fault_unwritten },
};

static ssize_t fault_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *pos)
{
	char name[16] = "";
	int i;

	if (copy_from_user(name, buf, min(len, sizeof(name) - 1)))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(strim(name), faults[i].name))
			continue;
		faults[i].commit();
		return len;
	}
	return -EINVAL;
}

/* Shows what was in the kernel's memory before. */
static ssize_t fault_read(struct file *file, char __user *buf, size_t len,
			  loff_t *pos)
{
	char *secret = kmalloc(64, GFP_KERNEL);
	ssize_t shown = min_t(size_t, len, 64);

	if (!secret)
		return -ENOMEM;
	if (copy_to_user(buf, secret, shown))
		shown = -EFAULT;
	kfree(secret);
	return shown;
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.read = fault_read,
	.write = fault_write,
};

static struct miscdevice fault_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sluice",
	.fops = &fault_fops,
};

module_misc_device(fault_device);

#ifdef SLUICE_KUNIT
#include <kunit/test.h>

static void fault_passes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 1);
}

static void fault_fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 1, 2);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(fault_passes),
	KUNIT_CASE(fault_fails),
	{ }
};

static struct kunit_suite fault_suite = {
	.name = "fault",
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
#endif

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Deliberate faults, to test the test harness");
