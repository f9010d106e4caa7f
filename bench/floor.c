/* The floor: the least that a server in user space can do for a page in memory. One thread, one epoll, one recv and
 * one send a request; no parsing beyond the path, no limits, no dates, no conditions. Nothing that serves the same
 * bytes over the same sockets can be faster by much: the distance to it says what a real server's own work costs.
 *
 *     floor PORT FOLDER
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PAGES = 64, MAX_CONNECTIONS = 65536, MAX_REQUEST = 16384, MAX_PAGE = 4 << 20, EVENTS = 256 };

struct page { char path[256]; size_t path_size; char *bytes; size_t size; };
struct connection { const char *next; size_t left; };

static struct page pages[MAX_PAGES];
static int page_count;
static struct connection connections[MAX_CONNECTIONS];
static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

static void fail(const char *what) { perror(what); exit(1); }

static void load_page(const char *folder, const char *name) {
    char file[4096], head[512];
    struct stat info;
    snprintf(file, sizeof file, "%s/%s", folder, name);
    if (stat(file, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size > MAX_PAGE || page_count == MAX_PAGES) return;
    int head_size = snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\n"
        "Content-Length: %lld\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"0123456789abcdef\"\r\n"
        "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nAccept-Ranges: bytes\r\n\r\n",
        (long long)info.st_size);
    struct page *page = &pages[page_count++];
    page->path_size = (size_t)snprintf(page->path, sizeof page->path, "/%s", name);
    page->size = (size_t)head_size + (size_t)info.st_size;
    page->bytes = malloc(page->size);
    FILE *content = fopen(file, "rb");
    if (!page->bytes || !content) fail(file);
    memcpy(page->bytes, head, (size_t)head_size);
    if (fread(page->bytes + head_size, 1, (size_t)info.st_size, content) != (size_t)info.st_size) fail(file);
    fclose(content);
}

static void find_page(struct connection *connection, const char *request, size_t size) {
    const char *path = memchr(request, ' ', size);
    const char *end = path ? memchr(path + 1, ' ', size - (size_t)(path + 1 - request)) : NULL;
    connection->next = missing;
    connection->left = sizeof missing - 1;
    if (!end) return;
    path++;
    for (int i = 0; i < page_count; i++)
        if (pages[i].path_size == (size_t)(end - path) && !memcmp(pages[i].path, path, pages[i].path_size)) {
            connection->next = pages[i].bytes;
            connection->left = pages[i].size;
            return;
        }
}

/* Send what is left. Return 0 when all is sent, 1 when the socket is full, -1 when it is broken. */
static int send_rest(int fd, struct connection *connection) {
    ssize_t sent = send(fd, connection->next, connection->left, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? 1 : -1;
    connection->next += sent;
    connection->left -= (size_t)sent;
    return connection->left > 0;
}

static void handle(int poll, int fd, unsigned events) {
    static char request[MAX_REQUEST];
    struct connection *connection = &connections[fd];
    int was_full = connection->left > 0, full;
    if (!was_full) {
        ssize_t size = recv(fd, request, sizeof request, 0);
        if (size < 0 && errno == EAGAIN) return;
        if (size < 4 || memcmp(request + size - 4, "\r\n\r\n", 4)) { close(fd); return; }
        find_page(connection, request, (size_t)size);
    } else if (events & (EPOLLHUP | EPOLLERR)) { connection->left = 0; close(fd); return; }
    full = send_rest(fd, connection);
    if (full < 0) { connection->left = 0; close(fd); return; }
    if (full != was_full) {
        struct epoll_event event = { .events = full ? EPOLLOUT : EPOLLIN, .data.fd = fd };
        epoll_ctl(poll, EPOLL_CTL_MOD, fd, &event);
    }
}

static void take(int poll, int listener) {
    int one = 1, fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_CONNECTIONS) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd].left = 0;
        struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int argc, char **argv) {
    if (argc != 3) { fprintf(stderr, "usage: floor PORT FOLDER\n"); return 2; }
    DIR *folder = opendir(argv[2]);
    if (!folder) fail(argv[2]);
    for (struct dirent *entry; (entry = readdir(folder));) load_page(argv[2], entry->d_name);
    closedir(folder);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1])) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener) take(poll, listener);
            else handle(poll, events[i].data.fd, events[i].events);
        }
    }
}
