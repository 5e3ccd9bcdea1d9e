/* A driver's process checkpoints for tests: what each process is in stands in a file of $FAKE_CUDA_STATE.
 *
 * The functions and codes are those of NVIDIA's cuda.h that cuda-bindings calls. In the folder:
 *
 *   PID                 0 running, 1 locked, 2 checkpointed, 3 failed; without the file it uses no CUDA
 *   fail.FUNCTION.PID   the code that this function answers about this process
 *   fail.cuInit.0       the code of cuInit
 *   journal             a line for each change: FUNCTION PID
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS, NOT_INITIALIZED = 3, OPERATING_SYSTEM = 304, ILLEGAL_STATE = 401, NOT_FOUND = 500 };
enum { RUNNING, LOCKED, CHECKPOINTED, FAILED };

static int number(const char *name, int pid, int otherwise)
{
    char path[4096];
    snprintf(path, sizeof path, pid < 0 ? "%s/%s" : "%s/%s.%d", getenv("FAKE_CUDA_STATE"), name, pid);
    FILE *file = fopen(path, "r");
    int value = otherwise;
    if (file) { if (fscanf(file, "%d", &value) != 1) value = otherwise; fclose(file); }
    return value;
}

static void note(const char *path_in_state, const char *mode, const char *line)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FAKE_CUDA_STATE"), path_in_state);
    FILE *file = fopen(path, mode);
    if (!file) abort();
    fputs(line, file);
    fclose(file);
}

static int state_of(int pid)
{
    char name[32];
    snprintf(name, sizeof name, "%d", pid);
    return number(name, -1, -1);
}

static int move(const char *function, int pid, int from, int to)
{
    char failing[128], name[32], line[160];
    int state = state_of(pid);
    snprintf(failing, sizeof failing, "fail.%s", function);
    int code = number(failing, pid, SUCCESS);
    if (state < 0) return NOT_INITIALIZED;
    if (state != from) return ILLEGAL_STATE;
    if (code) return code;
    snprintf(name, sizeof name, "%d", pid);
    snprintf(line, sizeof line, "%d\n", to);
    note(name, "w", line);
    snprintf(line, sizeof line, "%s %d\n", function, pid);
    note("journal", "a", line);
    return SUCCESS;
}

int cuInit(unsigned flags) { (void)flags; return number("fail.cuInit", 0, SUCCESS); }
int cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }

int cuCheckpointProcessGetState(int pid, int *state)
{
    int found = state_of(pid);
    int code = number("fail.cuCheckpointProcessGetState", pid, SUCCESS);
    if (code) return code;
    if (found < 0) return NOT_INITIALIZED;
    *state = found;
    return SUCCESS;
}

int cuCheckpointProcessLock(int pid, void *args) { (void)args; return move(__func__, pid, RUNNING, LOCKED); }
int cuCheckpointProcessCheckpoint(int pid, void *args) { (void)args; return move(__func__, pid, LOCKED, CHECKPOINTED); }
int cuCheckpointProcessRestore(int pid, void *args) { (void)args; return move(__func__, pid, CHECKPOINTED, LOCKED); }
int cuCheckpointProcessUnlock(int pid, void *args) { (void)args; return move(__func__, pid, LOCKED, RUNNING); }

int cuGetProcAddress_v2(const char *symbol, void **function, int version, unsigned long long flags, int *status)
{
    (void)version, (void)flags;
    *function = dlsym(RTLD_DEFAULT, symbol);
    if (status) *status = *function ? 0 : 1;
    return *function ? SUCCESS : NOT_FOUND;
}

int cuGetProcAddress(const char *symbol, void **function, int version, unsigned long long flags)
{
    return cuGetProcAddress_v2(symbol, function, version, flags, 0);
}
