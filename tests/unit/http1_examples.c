#include "unit/http1_examples.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(n) "Content-Length: " #n "\r\n"

/* Bytes and their length, since the bytes may contain a NUL. */
#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

#define WHOLE(name_, bytes_, status_, body_, ...)                                                  \
    {                                                                                              \
        .name = name_, .bytes = BYTES(bytes_), .status = status_, .body = body_, __VA_ARGS__       \
    }
#define BROKEN(name_, bytes_, reason_, ...)                                                        \
    {                                                                                              \
        .name = name_, .bytes = BYTES(bytes_), .reason = reason_, __VA_ARGS__                      \
    }

#define NO_HTTP "it is not HTTP/1"
#define BAD_LINE "the status line is malformed"
#define NO_CR "a line ends without CR"
#define CR_INSIDE "a CR or NUL inside of a line"
#define BAD_NAME "a header name is malformed"
#define NO_COLON "a header line without a colon"
#define NO_NUMBER "Content-Length is not a number"
#define TWO_LENGTHS "there are two different values of Content-Length"
#define BAD_CODING "a Transfer-Encoding other than chunked"
#define BAD_SIZE "the size of a chunk is malformed"
#define LONG_CHUNK "a chunk is longer than its size"
#define CUT "the connection ended before the answer did"
#define NOTHING "the connection ended without an answer"
#define TOO_LARGE "the body is too large"

const struct http1_example http1_examples[] = {
    /* --- valid answers --- */
    WHOLE("length", OK LENGTH(2) "\r\n{}", 200, "{}", .kept = true),
    WHOLE("no body", OK LENGTH(0) "\r\n", 200, "", .kept = true),
    WHOLE("names have no case", OK "CONTENT-LENGTH:2\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("blanks around a value", OK "Content-Length: \t 2 \t\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("one chunk", CHUNKED "2\r\n{}\r\n0\r\n\r\n", 200, "{}", .kept = true),
    WHOLE("chunks", CHUNKED "1\r\n[\r\n00002\r\n1,\r\nA\r\n0123456789\r\n1\r\n]\r\n000\r\n\r\n",
          200, "[1,0123456789]", .kept = true),
    WHOLE("chunks with CR LF in them", CHUNKED "4\r\n\r\n\r\n\r\n2\r\n0\r\r\n0\r\n\r\n", 200,
          "\r\n\r\n0\r", .kept = true),
    WHOLE("no chunk", CHUNKED "0\r\n\r\n", 200, "", .kept = true),
    WHOLE("coding without case", OK "transfer-encoding: Chunked\r\n\r\n0\r\n\r\n", 200, "",
          .kept = true),
    WHOLE("extensions of chunks", CHUNKED "2;a=b;c=\"d;\\\"\"\r\n{}\r\n0;e\r\n\r\n", 200, "{}",
          .kept = true),
    WHOLE("trailers", CHUNKED "2\r\n{}\r\n0\r\nX-Sum: 1\r\nContent-Length: 7\r\n\r\n", 200, "{}",
          .kept = true, .fields = "200 Transfer-Encoding=chunked;"),
    WHOLE("up to the close", OK "X-A: b\r\n\r\n{\"a\":1}", 200, "{\"a\":1}", .closes = true),
    WHOLE("nothing up to the close", OK "\r\n", 200, "", .closes = true),
    WHOLE("an interim answer", "HTTP/1.1 100 Continue\r\n\r\n" OK LENGTH(2) "\r\n{}", 200, "{}",
          .kept = true, .fields = "200 Content-Length=2;"),
    WHOLE("early hints",
          "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
          "HTTP/1.1 102 Processing\r\n\r\n" OK LENGTH(2) "\r\n{}",
          200, "{}", .kept = true, .fields = "200 Content-Length=2;"),
    WHOLE("204", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", .kept = true),
    WHOLE("304 with the length of what it does not send",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, "", .kept = true),
    WHOLE("HEAD", OK LENGTH(500) "\r\n", 200, "", .kept = true, .to_head = true),
    WHOLE("HEAD, chunked", CHUNKED, 200, "", .kept = true, .to_head = true),
    WHOLE("a failure with a body",
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", 503, "{}",
          .kept = true, .fields = "503 Content-Length=2;"),
    WHOLE("close", OK "Connection: close\r\n" LENGTH(2) "\r\n{}", 200, "{}"),
    WHOLE("close among others", OK "Connection: x, CLOSE\r\n" LENGTH(2) "\r\n{}", 200, "{}"),
    WHOLE("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}"),
    WHOLE("HTTP/1.0 that stays",
          "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("HTTP/1.0 that cannot decide",
          "HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\nContent-Length: 2\r\n\r\n{}", 200,
          "{}"),
    WHOLE("no reason phrase", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("a reason in UTF-8", "HTTP/1.1 404 Non trouv\xc3\xa9\r\nContent-Length: 0\r\n\r\n", 404,
          "", .kept = true),
    WHOLE("values of every kind",
          OK "X-Empty:\r\nX-Colon: a:b\r\nX-Utf8: \xc3\xa9\r\nX-Bell: a\x07z\r\n" LENGTH(0) "\r\n",
          200, "", .kept = true,
          .fields = "200 X-Empty=;X-Colon=a:b;X-Utf8=\xc3\xa9;X-Bell=a\x07z;Content-Length=0;"),

    /* --- not valid, but sent by real servers, and with only one possible meaning --- */
    WHOLE("no blank behind the status", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", 200, "{}",
          .kept = true),
    WHOLE("one length twice", OK LENGTH(2) LENGTH(2) "\r\n{}", 200, "{}", .kept = true),
    WHOLE("one length in a list", OK "Content-Length: 2, 2\r\n\r\n{}", 200, "{}", .kept = true),
    WHOLE("blanks behind the size of a chunk", CHUNKED "2  \r\n{}\r\n0 \r\n\r\n", 200, "{}",
          .kept = true),
    WHOLE("204 with a length of 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "",
          .kept = true),
    WHOLE("204 that announces a body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}",
          204, ""),
    WHOLE("204 in chunks", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204,
          ""),
    WHOLE("bytes behind the end", OK LENGTH(2) "\r\n{}HTTP/1.1 200 OK\r\n", 200, "{}"),
    WHOLE("bytes behind the last chunk", CHUNKED "0\r\n\r\nx", 200, ""),
    WHOLE("more than the length", OK LENGTH(2) "\r\n{}\n", 200, "{}"),

    /* --- not HTTP --- */
    BROKEN("nothing", "", NOTHING, .closes = true),
    BROKEN("TLS", "\x16\x03\x01 no HTTP\r\n\r\n", NO_HTTP),
    BROKEN("JSON", "{}\n", NO_HTTP),
    BROKEN("an empty line in front", "\r\n" OK LENGTH(2) "\r\n{}", NO_HTTP),
    BROKEN("a blank in front", " " OK LENGTH(2) "\r\n{}", NO_HTTP),
    BROKEN("HTTP/2", "HTTP/2 200\r\n\r\n", NO_HTTP, .curl_takes_it = true),
    BROKEN("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", NO_HTTP, .curl_takes_it = true),
    BROKEN("small letters", "http/1.1 200 OK\r\n\r\n", NO_HTTP, .curl_takes_it = true),
    BROKEN("ICY", "ICY 200 OK\r\n\r\n", NO_HTTP),
    BROKEN("a request", "GET / HTTP/1.1\r\n\r\n", NO_HTTP),

    /* --- status lines --- */
    BROKEN("no minor version", "HTTP/1. 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a long minor version", "HTTP/1.10 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("a later minor version", "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\n{}", BAD_LINE),
    BROKEN("a letter for a version", "HTTP/1.x 200 OK\r\n\r\n", BAD_LINE),
    BROKEN("no status", "HTTP/1.1 \r\n\r\n", BAD_LINE),
    BROKEN("a status of letters", "HTTP/1.1 abc OK\r\n\r\n", BAD_LINE),
    BROKEN("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", BAD_LINE, .curl_takes_it = true),
    BROKEN("a negative status", "HTTP/1.1 -20 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status below 100", "HTTP/1.1 099 OK\r\n\r\n", BAD_LINE),
    BROKEN("a status above 599", "HTTP/1.1 600 OK\r\n\r\n", BAD_LINE),
    BROKEN("999", "HTTP/1.1 999 OK\r\n\r\n", BAD_LINE),
    BROKEN("two blanks", "HTTP/1.1  200 OK\r\n\r\n", BAD_LINE, .curl_takes_it = true),
    BROKEN("a tab", "HTTP/1.1\t200 OK\r\n\r\n", BAD_LINE, .curl_takes_it = true),
    BROKEN("a tab behind the status", "HTTP/1.1 200\tOK\r\n\r\n", BAD_LINE, .curl_takes_it = true),
    BROKEN("101 that was not asked for",
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
           "it switches to a protocol that was not asked for"),

    /* --- lines --- */
    BROKEN("LF behind the status line", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n{}", NO_CR,
           .curl_takes_it = true),
    BROKEN("LF behind a header", OK "Content-Length: 2\n\r\n{}", NO_CR, .curl_takes_it = true),
    BROKEN("LF for the empty line", OK LENGTH(2) "\n{}", NO_CR, .curl_takes_it = true),
    BROKEN("LF only", "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", NO_CR, .curl_takes_it = true),
    BROKEN("CR in the status line", "HTTP/1.1 200 OK\rX: y\r\n\r\n", CR_INSIDE,
           .curl_takes_it = true),
    BROKEN("CR in a value", OK "X-A: b\rContent-Length: 0\r\n\r\n", CR_INSIDE,
           .curl_takes_it = true),
    BROKEN("CR CR LF", OK "X-A: b\r\r\n\r\n", CR_INSIDE, .curl_takes_it = true),
    BROKEN("NUL in the status line", "HTTP/1.1 200 O\0K\r\n\r\n", CR_INSIDE),
    BROKEN("NUL in a name", OK "X\0A: b\r\n\r\n", CR_INSIDE),
    BROKEN("NUL in a value", OK "X-A: b\0c\r\n\r\n", CR_INSIDE),

    /* --- headers --- */
    BROKEN("a folded line", OK "X-A: b\r\n c\r\n" LENGTH(2) "\r\n{}", NO_COLON,
           .curl_takes_it = true),
    BROKEN("a folded line with a colon", OK "X-A: b\r\n Content-Length: 2\r\n\r\n{}", BAD_NAME,
           .curl_takes_it = true),
    BROKEN("a folded line at first", OK " X-A: b\r\n" LENGTH(2) "\r\n{}", BAD_NAME,
           .curl_takes_it = true),
    BROKEN("no colon", OK "X-A\r\n\r\n", NO_COLON),
    BROKEN("no name", OK ": b\r\n\r\n", BAD_NAME, .curl_takes_it = true),
    BROKEN("a blank in front of the colon", OK "Content-Length : 2\r\n\r\n{}", BAD_NAME,
           .curl_takes_it = true),
    BROKEN("a blank in a name", OK "Content Length: 2\r\n\r\n{}", BAD_NAME, .curl_takes_it = true),
    BROKEN("a name in UTF-8", OK "X-\xc3\xa9: b\r\n\r\n", BAD_NAME, .curl_takes_it = true),

    /* --- lengths --- */
    BROKEN("two lengths", OK LENGTH(2) LENGTH(3) "\r\n{}", TWO_LENGTHS),
    BROKEN("two lengths in a list", OK "Content-Length: 2, 3\r\n\r\n{}", TWO_LENGTHS,
           .curl_takes_it = true),
    BROKEN("a length that overflows", OK LENGTH(99999999999999999999) "\r\n{}", NO_NUMBER,
           .curl_takes_it = true),
    BROKEN("a length of 2 to the 64", OK LENGTH(18446744073709551616) "\r\n", NO_NUMBER,
           .curl_takes_it = true),
    BROKEN("a length of 2 to the 63", OK LENGTH(9223372036854775808) "\r\n", NO_NUMBER,
           .curl_takes_it = true),
    BROKEN("a negative length", OK LENGTH(-2) "\r\n{}", NO_NUMBER),
    BROKEN("a length with a sign", OK LENGTH(+2) "\r\n{}", NO_NUMBER, .curl_takes_it = true),
    BROKEN("a hexadecimal length", OK LENGTH(0x2) "\r\n{}", NO_NUMBER, .curl_takes_it = true),
    BROKEN("an empty length", OK "Content-Length:\r\n\r\n{}", NO_NUMBER),
    BROKEN("an empty member", OK "Content-Length: 2,\r\n\r\n{}", NO_NUMBER, .curl_takes_it = true),
    BROKEN("a blank in a length", OK "Content-Length: 1 0\r\n\r\n{}", NO_NUMBER,
           .curl_takes_it = true),
    BROKEN("a length over the limit", OK LENGTH(1001) "\r\n", TOO_LARGE),
    BROKEN("the largest length", OK LENGTH(9223372036854775807) "\r\n", TOO_LARGE),
    BROKEN("a bad length on 204", "HTTP/1.1 204 No\r\nContent-Length: x\r\n\r\n", NO_NUMBER,
           .curl_takes_it = true),

    /* --- codings --- */
    BROKEN("chunked and a length",
           OK LENGTH(2) "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
           "Content-Length beside Transfer-Encoding", .curl_takes_it = true),
    BROKEN("gzip, chunked", OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", BAD_CODING,
           .curl_takes_it = true),
    BROKEN("identity", OK "Transfer-Encoding: identity\r\n\r\n", BAD_CODING, .curl_takes_it = true),
    BROKEN("no coding", OK "Transfer-Encoding:\r\n\r\n", BAD_CODING, .curl_takes_it = true),
    BROKEN("chunked twice", OK "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", BAD_CODING,
           .curl_takes_it = true),
    BROKEN("chunked on two lines",
           OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           BAD_CODING, .curl_takes_it = true),
    BROKEN("not quite chunked", OK "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", BAD_CODING),
    BROKEN("chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "Transfer-Encoding in HTTP/1.0", .curl_takes_it = true),

    /* --- chunks --- */
    BROKEN("a size of letters", CHUNKED "xyz\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("no size", CHUNKED "\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a size with a sign", CHUNKED "+2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("0x", CHUNKED "0x2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a blank in front of a size", CHUNKED " 2\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("two sizes", CHUNKED "2 2\r\n{}\r\n0\r\n\r\n", BAD_SIZE, .curl_takes_it = true),
    BROKEN("only an extension", CHUNKED ";a\r\n{}\r\n0\r\n\r\n", BAD_SIZE),
    BROKEN("a size that overflows", CHUNKED "fffffffffffffffff\r\n", "a chunk is too large"),
    BROKEN("a size over the limit", CHUNKED "3e9\r\n", TOO_LARGE),
    BROKEN("sizes over the limit together", CHUNKED "1\r\na\r\n3e8\r\n", TOO_LARGE),
    BROKEN("LF behind a size", CHUNKED "2\n{}\r\n0\r\n\r\n", NO_CR, .curl_takes_it = true),
    BROKEN("LF behind a chunk", CHUNKED "2\r\n{}\n0\r\n\r\n", LONG_CHUNK, .curl_takes_it = true),
    BROKEN("CR in an extension", CHUNKED "2;a\rb\r\n{}\r\n0\r\n\r\n", CR_INSIDE,
           .curl_takes_it = true),
    BROKEN("a chunk longer than it said", CHUNKED "1\r\n{}\r\n0\r\n\r\n", LONG_CHUNK),
    BROKEN("a chunk shorter than it said", CHUNKED "3\r\n{}\r\n0\r\n\r\n", LONG_CHUNK,
           .curl_takes_it = true),
    BROKEN("a trailer without a name", CHUNKED "0\r\n: x\r\n\r\n", BAD_NAME, .curl_takes_it = true),
    BROKEN("a folded trailer", CHUNKED "0\r\nX: y\r\n z\r\n\r\n", NO_COLON, .curl_takes_it = true),
    BROKEN("LF for the empty line behind chunks", CHUNKED "0\r\n\n", NO_CR, .curl_takes_it = true),

    /* --- cut --- */
    BROKEN("cut in the status line", "HTTP/1.1 20", CUT, .closes = true),
    BROKEN("cut behind the status line", OK, CUT, .closes = true, .curl_takes_it = true),
    BROKEN("cut in the head", OK LENGTH(2), CUT, .closes = true),
    BROKEN("cut in the empty line", OK LENGTH(2) "\r", CUT, .closes = true),
    BROKEN("cut behind an interim answer", "HTTP/1.1 100 Continue\r\n\r\n", CUT, .closes = true),
    BROKEN("cut in the body", OK LENGTH(3) "\r\n{}", CUT, .closes = true),
    BROKEN("cut in front of the body", OK LENGTH(3) "\r\n", CUT, .closes = true),
    BROKEN("cut in a chunk", CHUNKED "5\r\n{}", CUT, .closes = true),
    BROKEN("cut behind a chunk", CHUNKED "2\r\n{}\r\n", CUT, .closes = true),
    BROKEN("cut in front of the last chunk", CHUNKED "2\r\n{}\r\n0\r\n", CUT, .closes = true),
    BROKEN("cut in a trailer", CHUNKED "0\r\nX: y\r\n", CUT, .closes = true),
};

const size_t http1_example_count = sizeof(http1_examples) / sizeof(http1_examples[0]);
