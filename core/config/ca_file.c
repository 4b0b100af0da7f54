#include "config/ca_file.h"

#include "config/handover.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define CA_FILE_MAX_BYTES (4u * 1024 * 1024)

/* Returns the number of certificates in a text. *ret_broken is true when another one begins that
 * cannot be read. */
static size_t count_certificates(const char *text, size_t len, bool *ret_broken)
{
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    X509 *certificate = NULL;
    size_t count = 0;

    ERR_clear_error();
    if (bio)
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    while (certificate) {
        count++;
        X509_free(certificate);
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    /* At the end of the text no further start line is found; any other error is a broken
     * certificate. */
    *ret_broken = !bio || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
    ERR_clear_error();
    BIO_free(bio);
    return count;
}

void grc_ca_file_verify(struct grc_reader *reader, const struct grc_path *path, const char *file)
{
    const char *reason = NULL;
    size_t len = 0;
    bool broken = false;
    char *text = grc_handover_file(file, CA_FILE_MAX_BYTES, &len, &reason);

    if (!text) {
        grc_reader_problem(reader, path, "cannot read '%s': %s", file, reason);
        return;
    }
    size_t count = count_certificates(text, len, &broken);
    if (broken)
        grc_reader_problem(reader, path, "certificate %zu of '%s' cannot be read", count + 1, file);
    else if (count == 0)
        grc_reader_problem(reader, path,
                           "'%s' holds no certificate; expected PEM: -----BEGIN CERTIFICATE-----",
                           file);
    free(text);
}
