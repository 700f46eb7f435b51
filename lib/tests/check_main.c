// SPDX-License-Identifier: LGPL-2.1-or-later
/* All suites; CK_RUN_SUITE=name runs one. */
#include <stdlib.h>

#include "suites.h"

int main(void)
{
	SRunner *runner = srunner_create(suite_pool());
	int failed;

	srunner_add_suite(runner, suite_ring());
	srunner_add_suite(runner, suite_policy());
	srunner_add_suite(runner, suite_queue());
	srunner_add_suite(runner, suite_lies());
	srunner_add_suite(runner, suite_events());
	srunner_add_suite(runner, suite_structs());
	srunner_add_suite(runner, suite_endpoint());
	srunner_add_suite(runner, suite_locks());
	srunner_add_suite(runner, suite_stress());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
