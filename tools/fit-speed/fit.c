/* tools/fit-speed/fit.c - Gauss-Newton on log rates with Student-t weights and Gaussian priors (a MAP estimate). */
#include "fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fit_effect(struct fit *f, enum speed_group g, const char *name, double sd, bool is_device)
{
    for (int i = 0; i < f->n_effects; i++)
        if (f->effect[i].group == g && strcmp(f->effect[i].name, name) == 0)
            return i;
    if (f->n_effects == N_EFFECTS_MAX)
        return -1;
    struct effect *e = &f->effect[f->n_effects];
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->group = g, e->sd = sd, e->value = 0, e->is_device = is_device;
    return f->n_effects++;
}

static double evaluate(const struct fit *f, const struct row *r, bool with_device, double *share)
{
    double sum[SPEED_GROUP_COUNT] = { 0 };
    const int k = f->what;
    for (int i = 0; i < r->n_x[k]; i++)
        if (with_device || !f->effect[r->x[k][i].effect].is_device)
            sum[r->x[k][i].group] += r->x[k][i].value * f->effect[r->x[k][i].effect].value;
    const double rate = k == 0 ? speed_tg_tps(&r->q, sum, share) : speed_pp_tps(&r->q, sum, share);
    return log(r->measured[k]) - log(rate);
}

double fit_residual(const struct fit *f, const struct row *r, bool with_device) { return evaluate(f, r, with_device, NULL); }

/* Solves A x = b in place, A symmetric positive definite [n][n], lower half used. */
static bool cholesky_solve(double *a, double *b, int n)
{
    for (int j = 0; j < n; j++) {
        double *aj = a + (size_t)j * (size_t)n;
        for (int k = 0; k < j; k++) {
            const double *ak = a + (size_t)k * (size_t)n;
            double s = aj[k];
            for (int i = 0; i < k; i++)
                s -= aj[i] * ak[i];
            aj[k] = s / ak[k];
        }
        double d = aj[j];
        for (int i = 0; i < j; i++)
            d -= aj[i] * aj[i];
        if (!(d > 0))
            return false;
        aj[j] = sqrt(d);
    }
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < j; i++)
            b[j] -= a[(size_t)j * (size_t)n + (size_t)i] * b[i];
        b[j] /= a[(size_t)j * (size_t)n + (size_t)j];
    }
    for (int j = n - 1; j >= 0; j--) {
        b[j] /= a[(size_t)j * (size_t)n + (size_t)j];
        for (int i = 0; i < j; i++)
            b[i] -= a[(size_t)j * (size_t)n + (size_t)i] * b[j];
    }
    return true;
}

bool fit_run(struct fit *f, const struct row *rows, int n, int left_out, int steps)
{
    const int p = f->n_effects, k = f->what;
    double *a = calloc((size_t)p * (size_t)p, sizeof(*a)), *b = calloc((size_t)p, sizeof(*b));
    bool ok = a && b;
    for (int step = 0; ok && step < steps; step++) {
        memset(a, 0, (size_t)p * (size_t)p * sizeof(*a));
        for (int i = 0; i < p; i++) {
            /* devices differ as Student t: a throttled laptop must not move its class */
            const double sd = f->effect[i].sd, t = f->effect[i].value / sd, prior = (f->effect[i].is_device ? 4 / (3 + t * t) : 1) / (sd * sd);
            a[(size_t)i * (size_t)p + (size_t)i] = prior;
            b[i] = -prior * f->effect[i].value;
        }
        for (int i = 0; i < n; i++) {
            const struct row *r = &rows[i];
            if (!(r->measured[k] > 0) || r->device == left_out)
                continue;
            double share[SPEED_GROUP_COUNT], dx[X_MAX];
            const double res = evaluate(f, r, true, share), t = res / r->sd, w = 1 / (r->sd * r->sd) * 4 / (3 + t * t);
            /* rate falls as a term grows: d log(rate) / d effect = -share * value */
            for (int j = 0; j < r->n_x[k]; j++)
                dx[j] = -share[r->x[k][j].group] * r->x[k][j].value;
            for (int j = 0; j < r->n_x[k]; j++) {
                const int ej = r->x[k][j].effect;
                b[ej] += w * dx[j] * res;
                for (int l = 0; l < r->n_x[k]; l++)
                    if (r->x[k][l].effect <= ej)
                        a[(size_t)ej * (size_t)p + (size_t)r->x[k][l].effect] += w * dx[j] * dx[l];
            }
        }
        ok = cholesky_solve(a, b, p);
        for (int i = 0; ok && i < p; i++)
            f->effect[i].value += b[i] > 0.7 ? 0.7 : b[i] < -0.7 ? -0.7 : b[i];
    }
    free(a);
    free(b);
    return ok;
}
