"""The charts on a real cluster, whichever KUBECONFIG names: own namespaces, taken away afterwards.

Needs kubectl and helm on PATH, and ECOM_TEST_TAG: the tag of images that `k8s/images/build` made and that the
nodes have or can pull. ECOM_TEST_REPOSITORY is what stands before their names (default: ecom).
ECOM_TEST_SEAWEEDFS (image:tag) adds the test of the S3 server.
"""
