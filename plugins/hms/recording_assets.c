/*
 * recording_assets: the files that recordings and streams produce.
 */
#include "common.h"

static const struct gr_field asset_params[] = {
    HMS_PARAM_ID("assetId", "ID of the asset"),
    GR_END,
};

static const char *const asset_states[] = {"completed", "failed", "processing", NULL};

static const struct gr_field list_query[] = {
    HMS_QUERY_ROOM,
    HMS_QUERY_SESSION,
    GR_FIELD("status", GR_STRING, "Only assets in this state", .flags = GR_FIELD_HINTS,
             .values = asset_states),
    GR_FIELD("type", GR_STRING, "Only assets of this type, for example room-composite or chat"),
    HMS_QUERY_LIMIT_OPEN,
    HMS_QUERY_START,
    GR_END,
};

static const struct gr_field url_query[] = {
    GR_FIELD("presign_duration", GR_INT, "Validity of the URL in seconds",
             .default_doc = "3 days on S3 and GCS, 9 hours on OSS"),
    GR_END,
};

static const struct gr_field url[] = {
    GR_FIELD("id", GR_STRING, "ID of the asset"),
    GR_FIELD("path", GR_STRING, "Path in the storage"),
    GR_FIELD("url", GR_STRING, "URL for the download, valid for a limited time",
             .flags = GR_FIELD_SECRET),
    GR_FIELD("expiry", GR_INT, "Validity of the URL in seconds"),
    GR_END,
};

static const struct gr_route routes[] = {
    HMS_GET("/recording-assets", "recording_assets.list", "List the recording assets",
            .scope = "recording_assets:read", .query = list_query,
            .answers = HMS_ANSWER(200, "One page of assets", .schema = HMS_PAGE("data", hms_asset)),
            .doc = "`type` is documented in the feature guide, not in the API reference.",
            .source = HMS_API("recording-assets/list-all-assets")),
    HMS_GET("/recording-assets/{assetId}", "recording_assets.get", "Fetch one recording asset",
            .scope = "recording_assets:read", .params = asset_params,
            .answers = HMS_ANSWER(200, "The asset", .schema = HMS_OBJECT(hms_asset)),
            .source = HMS_API("recording-assets/get-asset")),
    GR_GET("/recording-assets/{assetId}/url", "recording_assets.presigned_url",
           "Create a short-lived download URL of an asset",
           .alias = "/recording-assets/{assetId}/presigned-url", .scope = "recording_assets:read",
           .params = asset_params, .query = url_query,
           .forward = GR_FORWARD(HMS_UPSTREAM, "/recording-assets/{assetId}/presigned-url"),
           .answers = HMS_ANSWER(200, "The URL", .schema = HMS_OBJECT(url)),
           .doc = "For a room-vod asset the URL may lead to a playlist or an archive, depending on "
                  "the storage.",
           .source = HMS_API("recording-assets/get-presigned-url")),
    GR_END,
};

static const char *const owns[] = {"/recording-assets", NULL};

GR_PLUGIN("recording_assets", .version = HMS_VERSION,
          .summary = "Files that 100ms recordings produce", .licence = HMS_LICENCE,
          .routes = routes, .owns = owns)
