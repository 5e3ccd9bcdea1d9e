/* A driver's NVML for tests: what it answers is read from $FAKE_NVML_STATE at every call.
 *
 * The functions, structs and codes are those of NVIDIA's nvml.h that nvidia-ml-py calls; each line of the
 * state is a word and its fields, between tabs:
 *
 *   driver   VERSION
 *   epoch    N                    another N than at the last init: the driver was reloaded meanwhile
 *   stale    CODE DEVICES         what a session from before a reload is answered; DEVICES 1: about devices alone
 *   fail     FUNCTION CODE        that function fails
 *   hold     FUNCTION PATH        that function answers when PATH is gone
 *   gpu      UUID NAME MINOR TOTAL RESERVED USED UTILISATION MIG CODE     bytes; MIG: -1 cannot, 0 off, 1 on
 *   mig      NUMBER UUID NAME GI CI GPU_SLICES COMPUTE_SLICES MEM_MB USED CODE       of the gpu above
 *   process  PID BYTES            of the gpu or mig above; -1: the driver hides how much
 *
 * A handle holds the session that it is of: one that is kept over a shutdown is refused.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS, UNINITIALIZED, INVALID_ARGUMENT, NOT_SUPPORTED, NOT_FOUND = 6, INSUFFICIENT_SIZE,
       GPU_IS_LOST = 15, ARGUMENT_VERSION_MISMATCH = 25 };
enum { INIT_FLAG_NO_GPUS = 1, MEMORY_V2 = 0x02000028, LINE = 1024, FIELDS = 12, GPUS = 16, MIGS = 8, PROCESSES = 64 };

typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned pid; unsigned long long usedGpuMemory; unsigned gpuInstanceId, computeInstanceId; } nvmlProcessInfo_t;
typedef struct { unsigned multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount,
    sharedJpegCount, sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount; unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;

typedef struct { char uuid[96], name[96]; int minor, utilisation, mode, code, gi, ci, gpu_slices, compute_slices, is_there;
    unsigned long long total, reserved, used, mem_mb; int processes; unsigned pids[PROCESSES]; long long bytes[PROCESSES];
} device_t;
typedef struct { char driver[80]; int epoch, stale, stale_devices, gpus; device_t gpu[GPUS], mig[GPUS][MIGS]; } state_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static state_t state;
static int sessions, open_sessions, epoch;

static int split(char *line, char **field)
{
    int n = 0;
    line[strcspn(line, "\n")] = 0;
    while (n < FIELDS && (field[n] = strsep(&line, "\t"))) n++;
    for (int i = n; i < FIELDS; i++) field[i] = "0";
    return n;
}

static void read_gpu(char **f)
{
    device_t *d = &state.gpu[state.gpus++];
    snprintf(d->uuid, sizeof d->uuid, "%s", f[1]);
    snprintf(d->name, sizeof d->name, "%s", f[2]);
    d->minor = atoi(f[3]), d->total = atoll(f[4]), d->reserved = atoll(f[5]), d->used = atoll(f[6]);
    d->utilisation = atoi(f[7]), d->mode = atoi(f[8]), d->code = atoi(f[9]), d->is_there = 1;
}

static device_t *read_mig(char **f)
{
    device_t *d = &state.mig[state.gpus - 1][atoi(f[1])];
    snprintf(d->uuid, sizeof d->uuid, "%s", f[2]);
    snprintf(d->name, sizeof d->name, "%s", f[3]);
    d->gi = atoi(f[4]), d->ci = atoi(f[5]), d->gpu_slices = atoi(f[6]), d->compute_slices = atoi(f[7]);
    d->mem_mb = atoll(f[8]), d->total = d->mem_mb << 20, d->used = atoll(f[9]), d->code = atoi(f[10]), d->is_there = 1;
    return d;
}

/* Read the state anew; return the code that `function` fails with, 0 where it works. */
static int look(const char *function)
{
    char line[LINE], *f[FIELDS], held[LINE] = "";
    int failure = SUCCESS;
    device_t *last = NULL;
    FILE *file = fopen(getenv("FAKE_NVML_STATE") ? getenv("FAKE_NVML_STATE") : "", "r");
    memset(&state, 0, sizeof state);
    state.stale = UNINITIALIZED;
    while (file && fgets(line, sizeof line, file)) {
        split(line, f);
        if (!strcmp(f[0], "driver")) snprintf(state.driver, sizeof state.driver, "%s", f[1]);
        else if (!strcmp(f[0], "epoch")) state.epoch = atoi(f[1]);
        else if (!strcmp(f[0], "stale")) state.stale = atoi(f[1]), state.stale_devices = atoi(f[2]);
        else if (!strcmp(f[0], "fail") && !strcmp(f[1], function)) failure = atoi(f[2]);
        else if (!strcmp(f[0], "hold") && !strcmp(f[1], function)) snprintf(held, sizeof held, "%s", f[2]);
        else if (!strcmp(f[0], "gpu")) read_gpu(f), last = &state.gpu[state.gpus - 1];
        else if (!strcmp(f[0], "mig")) last = read_mig(f);
        else if (!strcmp(f[0], "process")) last->pids[last->processes] = atoi(f[1]), last->bytes[last->processes++] = atoll(f[2]);
    }
    if (file) fclose(file);
    while (*held && !access(held, F_OK)) usleep(5000);
    return failure;
}

static int enter(const char *function, int is_of_device)
{
    pthread_mutex_lock(&lock);
    int failure = look(function);
    if (failure) return failure;
    if (!open_sessions) return UNINITIALIZED;
    return epoch == state.epoch || (state.stale_devices && !is_of_device) ? SUCCESS : state.stale;
}

static int leave(int code)
{
    pthread_mutex_unlock(&lock);
    return code;
}

static void *handle(int gpu, int mig) { return (void *)(long)(sessions << 16 | (gpu + 1) << 8 | (mig + 1)); }

/* Find the device of a handle; `is_mig` says which kind is meant, -1 either. */
static int find(void *device, int is_mig, device_t **found)
{
    long h = (long)device, gpu = (h >> 8 & 0xff) - 1, mig = (h & 0xff) - 1;
    if (h >> 16 != sessions || gpu < 0 || gpu >= state.gpus || mig >= MIGS) return INVALID_ARGUMENT;
    if (state.gpu[gpu].code) return state.gpu[gpu].code;
    *found = mig < 0 ? &state.gpu[gpu] : &state.mig[gpu][mig];
    if (!(*found)->is_there || (is_mig >= 0 && is_mig != (mig >= 0))) return INVALID_ARGUMENT;
    return (*found)->code;
}

#define WITH(device, is_mig) device_t *d = NULL; int code = enter(__func__, 1); \
    if (code || (code = find(device, is_mig, &d))) return leave(code)

static int text(const char *from, char *to, unsigned length)
{
    if (strlen(from) >= length) return INSUFFICIENT_SIZE;
    strcpy(to, from);
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned flags)
{
    pthread_mutex_lock(&lock);
    int code = look(__func__);
    if (!code && !state.gpus && !(flags & INIT_FLAG_NO_GPUS)) code = NOT_FOUND;
    if (!code) sessions++, open_sessions++, epoch = state.epoch;
    return leave(code);
}

int nvmlShutdown(void)
{
    pthread_mutex_lock(&lock);
    if (!open_sessions) return leave(UNINITIALIZED);
    open_sessions--, sessions++;
    return leave(SUCCESS);
}

const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "an error of the fake driver"; }

int nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    int code = enter(__func__, 0);
    return leave(code ? code : text(state.driver, version, length));
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    int code = enter(__func__, 0);
    *count = state.gpus;
    return leave(code);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    int code = enter(__func__, 1);
    if (code || (int)index >= state.gpus) return leave(code ? code : INVALID_ARGUMENT);
    *device = handle(index, -1);
    return leave(state.gpu[index].code);
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length)
{
    WITH(device, -1);
    return leave(text(d->uuid, uuid, length));
}

int nvmlDeviceGetName(void *device, char *name, unsigned length)
{
    WITH(device, -1);
    return leave(text(d->name, name, length));
}

int nvmlDeviceGetMinorNumber(void *device, unsigned *minor)
{
    WITH(device, 0);
    *minor = d->minor;
    return leave(SUCCESS);
}

int nvmlDeviceGetMemoryInfo(void *device, nvmlMemory_t *memory)
{
    WITH(device, -1);
    *memory = (nvmlMemory_t){d->total, d->total - d->used - d->reserved, d->used + d->reserved};
    return leave(SUCCESS);
}

int nvmlDeviceGetMemoryInfo_v2(void *device, nvmlMemory_v2_t *memory)
{
    WITH(device, -1);
    if (memory->version != MEMORY_V2) return leave(ARGUMENT_VERSION_MISMATCH);
    *memory = (nvmlMemory_v2_t){MEMORY_V2, d->total, d->reserved, d->total - d->used - d->reserved, d->used};
    return leave(SUCCESS);
}

int nvmlDeviceGetUtilizationRates(void *device, nvmlUtilization_t *rates)
{
    WITH(device, -1);
    if (d->gpu_slices || d->mode == 1) return leave(NOT_SUPPORTED); /* neither an instance nor its GPU has any */
    *rates = (nvmlUtilization_t){d->utilisation, d->utilisation / 2};
    return leave(SUCCESS);
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, nvmlProcessInfo_t *infos)
{
    WITH(device, -1);
    unsigned room = *count;
    *count = d->processes;
    if (room < *count) return leave(INSUFFICIENT_SIZE);
    for (int i = 0; i < d->processes; i++)
        infos[i] = (nvmlProcessInfo_t){d->pids[i], d->bytes[i], d->gpu_slices ? d->gi : -1, d->gpu_slices ? d->ci : -1};
    return leave(SUCCESS);
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending)
{
    WITH(device, 0);
    if (d->mode < 0) return leave(NOT_SUPPORTED);
    *current = *pending = d->mode;
    return leave(SUCCESS);
}

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count)
{
    WITH(device, 0);
    *count = MIGS - 1;
    return leave(SUCCESS);
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned index, void **mig)
{
    WITH(device, 0);
    int gpu = d - state.gpu;
    if (index >= MIGS || !state.mig[gpu][index].is_there) return leave(NOT_FOUND);
    *mig = handle(gpu, index);
    return leave(SUCCESS);
}

int nvmlDeviceGetAttributes_v2(void *device, nvmlDeviceAttributes_t *attributes)
{
    WITH(device, 1);
    *attributes = (nvmlDeviceAttributes_t){.multiprocessorCount = 14, .gpuInstanceSliceCount = d->gpu_slices,
        .computeInstanceSliceCount = d->compute_slices, .memorySizeMB = d->mem_mb};
    return leave(SUCCESS);
}

int nvmlDeviceGetGpuInstanceId(void *device, unsigned *id)
{
    WITH(device, 1);
    *id = d->gi;
    return leave(SUCCESS);
}

int nvmlDeviceGetComputeInstanceId(void *device, unsigned *id)
{
    WITH(device, 1);
    *id = d->ci;
    return leave(SUCCESS);
}

/* Not of NVML: how large a struct is here, for the test that compares it with nvidia-ml-py's. */
unsigned fake_nvml_sizeof(const char *name)
{
    struct { const char *name; unsigned size; } known[] = {
        {"c_nvmlMemory_t", sizeof(nvmlMemory_t)}, {"c_nvmlMemory_v2_t", sizeof(nvmlMemory_v2_t)},
        {"c_nvmlUtilization_t", sizeof(nvmlUtilization_t)}, {"c_nvmlProcessInfo_v3_t", sizeof(nvmlProcessInfo_t)},
        {"c_nvmlDeviceAttributes", sizeof(nvmlDeviceAttributes_t)}};
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].size;
    return 0;
}
