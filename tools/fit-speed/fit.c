/* tools/fit-speed/fit.c - Gauss-Newton on log rates with Student-t weights and Gaussian priors (a MAP estimate). */
#include "fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int fit_effect(struct fit *f, enum speed_group g, const char *name, double sd)
{
    for (int i = 0; i < f->n_effects; i++)
        if (f->effect[i].group == g && strcmp(f->effect[i].name, name) == 0)
            return i;
    if (f->n_effects == N_EFFECTS_MAX)
        return -1;
    struct effect *e = &f->effect[f->n_effects];
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->group = g, e->sd = sd, e->value = 0, e->is_device = strncmp(name, "d:", 2) == 0;
    return f->n_effects++;
}

static double evaluate(const struct fit *f, const struct row *r, bool with_device, double *share)
{
    double sum[SPEED_GROUP_COUNT] = { 0 };
    const int k = f->what;
    for (int i = 0; i < r->n_x[k]; i++)
        if (with_device || !f->effect[r->x[k][i].effect].is_device)
            sum[r->x[k][i].group] += r->x[k][i].value * f->effect[r->x[k][i].effect].value;
    const double rate = k == DECODE ? speed_tg_tps(&r->q, sum, share) : speed_pp_tps(&r->q, sum, share);
    return log(r->measured[k]) - log(rate);
}

double fit_residual(const struct fit *f, const struct row *r, bool with_device) { return evaluate(f, r, with_device, NULL); }

/* Solves A x = b in place, A symmetric positive definite [n][n], lower half used. */
static bool cholesky_solve(double *a, double *b, int n)
{
    const size_t w = (size_t)n;
    for (int j = 0; j < n; j++) {
        double *aj = a + (size_t)j * w, d = aj[j];
        for (int k = 0; k < j; k++) {
            const double *ak = a + (size_t)k * w;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            int i = 0;
            for (; i + 4 <= k; i += 4)
                s0 += aj[i] * ak[i], s1 += aj[i + 1] * ak[i + 1], s2 += aj[i + 2] * ak[i + 2], s3 += aj[i + 3] * ak[i + 3];
            for (; i < k; i++)
                s0 += aj[i] * ak[i];
            aj[k] = (aj[k] - ((s0 + s1) + (s2 + s3))) / ak[k];
            d -= aj[k] * aj[k];
        }
        if (!(d > 0))
            return false;
        aj[j] = sqrt(d);
    }
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < j; i++)
            b[j] -= a[(size_t)j * w + (size_t)i] * b[i];
        b[j] /= a[(size_t)j * w + (size_t)j];
    }
    for (int j = n - 1; j >= 0; j--) {
        b[j] /= a[(size_t)j * w + (size_t)j];
        for (int i = 0; i < j; i++)
            b[i] -= a[(size_t)j * w + (size_t)i] * b[j];
    }
    return true;
}

bool fit_run(struct fit *f, const struct table *t, int steps)
{
    enum { FREEDOM = 3 }; /* of Student's t: an outlier must not move its class */
    const double step_max = 0.7;
    const int p = f->n_effects, k = f->what;
    const size_t w = (size_t)p;
    double *a = calloc(w * w, sizeof(*a)), *b = calloc(w, sizeof(*b));
    bool ok = a && b;
    for (int step = 0; ok && step < steps; step++) {
        memset(a, 0, w * w * sizeof(*a));
        for (int i = 0; i < p; i++) {
            const struct effect *e = &f->effect[i];
            const double x = e->value / e->sd, prior = (e->is_device ? (FREEDOM + 1) / (FREEDOM + x * x) : 1) / (e->sd * e->sd);
            a[(size_t)i * w + (size_t)i] = prior;
            b[i] = -prior * e->value;
        }
        for (int i = 0; i < t->n; i++) {
            const struct row *r = &t->row[i];
            if (!(r->measured[k] > 0) || r->is_out)
                continue;
            double share[SPEED_GROUP_COUNT], dx[X_MAX];
            const double res = evaluate(f, r, true, share), x = res / r->sd, weight = (FREEDOM + 1) / (FREEDOM + x * x) / (r->sd * r->sd);
            for (int j = 0; j < r->n_x[k]; j++) /* the rate falls as a term grows */
                dx[j] = -share[r->x[k][j].group] * r->x[k][j].value;
            for (int j = 0; j < r->n_x[k]; j++) {
                const int ej = r->x[k][j].effect;
                b[ej] += weight * dx[j] * res;
                for (int l = 0; l < r->n_x[k]; l++)
                    if (r->x[k][l].effect <= ej)
                        a[(size_t)ej * w + (size_t)r->x[k][l].effect] += weight * dx[j] * dx[l];
            }
        }
        ok = cholesky_solve(a, b, p);
        for (int i = 0; ok && i < p; i++) {
            double *v = &f->effect[i].value;
            *v += b[i] > step_max ? step_max : b[i] < -step_max ? -step_max : b[i];
            if (strncmp(f->effect[i].name, "bal:", 4) == 0) /* plan/speed_features.c says why */
                *v = *v < 0 ? 0 : *v > 0.9 ? 0.9 : *v;
        }
    }
    free(a);
    free(b);
    return ok;
}
