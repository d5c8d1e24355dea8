/* Pipes as a user gets them who has many already (pipe(7)). */
#ifndef SUPPORT_SMALL_PIPES_H
#define SUPPORT_SMALL_PIPES_H

/**
 * small_pipes(bytes):
 * From now on pipes hold ${bytes}, as fcntl tells it, and can't be made larger;
 * with 0 they are as they are.
 */
void small_pipes(int bytes);

#endif
